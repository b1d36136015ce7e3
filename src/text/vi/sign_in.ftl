# Sign-in, code, consent and sign-out.
sign-in-title = Đăng nhập
