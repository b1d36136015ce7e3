# Sign-in, code, consent and sign-out.
sign-in-title = Đăng nhập
sign-in-for-portal = { $portal } đề nghị ông/bà đăng nhập để: { $purpose }.
sign-in-for-page = Ông/bà đăng nhập để vào trang nghiệp vụ.
sign-in-number = Số định danh cá nhân
sign-in-number-hint = 12 chữ số, in trên thẻ căn cước
sign-in-number-wrong = Số định danh gồm đúng 12 chữ số. Xin xem lại trên thẻ.
sign-in-send-code = Gửi mã xác nhận
sign-in-how = Chúng tôi gửi mã 6 số tới số điện thoại mà cơ sở dữ liệu dân cư đang ghi cho ông/bà. Không cần mật khẩu.
sign-in-turn-back = Không đăng nhập, trở về
sign-in-limited = Đã có quá nhiều yêu cầu gửi mã. Xin thử lại sau { $until }, hoặc làm thủ tục tại bộ phận một cửa.

sign-in-code-title = Nhập mã xác nhận
sign-in-code-sent = Nếu số vừa nhập có trong cơ sở dữ liệu và định danh không bị khóa, một mã 6 số đã được gửi tới điện thoại đã đăng ký. Mã dùng được trong 5 phút.
sign-in-code = Mã 6 số
sign-in-code-hint = Chúng tôi không bao giờ gọi điện hỏi mã này
sign-in-code-shape = Mã gồm đúng 6 chữ số.
sign-in-code-wrong = Mã không đúng. Còn { $tries } lần thử.
sign-in-code-spent = Mã này không dùng được nữa. Xin bấm "Gửi mã khác".
sign-in-code-confirm = Xác nhận
sign-in-code-again = Gửi mã khác
sign-in-code-too-soon = Mã trước vừa được gửi. Có thể xin mã khác từ { $from }.
sign-in-code-used-up = Lần đăng nhập này đã dùng hết số mã. Xin bắt đầu lại từ cổng.
sign-in-code-resent = Một mã khác đã được gửi. Mã trước không dùng được nữa.
sign-in-code-none-heading = Không nhận được mã?
sign-in-code-none = Số điện thoại đăng ký có thể đã thay đổi, hoặc định danh đang bị khóa. Xin đến công an phường, xã hoặc bộ phận một cửa, mang theo thẻ căn cước; hoặc gọi 1022.
sign-in-other-number = Nhập số khác

sign-in-app = Dùng mã trong ứng dụng
sign-in-app-title = Nhập mã trong ứng dụng
sign-in-app-lead = Xin mở ứng dụng xác thực mà ông/bà đã thêm vào trang "Cách đăng nhập" và nhập mã 6 số đang hiện. Mỗi mã dùng được một lần.
sign-in-app-none = Nếu chưa thêm ứng dụng nào hoặc đã mất máy, xin dùng cách khác, hoặc đến bộ phận một cửa mang theo thẻ căn cước.
sign-in-stronger = Nơi đề nghị đăng nhập cần cách xác thực mạnh hơn mã gửi qua tin nhắn: mã trong ứng dụng hoặc khóa truy cập.
sign-in-guesses = Đã có quá nhiều mã sai. Cách này mở lại lúc { $until }; các cách khác vẫn dùng được.
sign-in-passkey-heading = Có khóa truy cập?
sign-in-passkey-hint = Vân tay, khuôn mặt hoặc mã mở máy, trên thiết bị đã đăng ký. Không cần nhập số.
sign-in-passkey-title = Đăng nhập bằng khóa truy cập
sign-in-passkey-lead = Trình duyệt sẽ hỏi vân tay, khuôn mặt hoặc mã mở máy. Những dữ liệu đó không rời khỏi máy.
sign-in-passkey-go = Dùng khóa truy cập
sign-in-passkey-without = Trình duyệt này không chạy được phần hỏi khóa truy cập. Xin dùng cách khác bên dưới.
sign-in-passkey-other = Dùng cách khác
sign-in-passkey-failed = Chưa có khóa nào được dùng. Xin thử lại hoặc dùng cách khác.
sign-in-passkey-refused = Khóa truy cập này không dùng được ở đây, hoặc đã bị gỡ. Xin thử khóa khác hoặc dùng cách khác.
sign-in-unfit-title = Cách đăng nhập này chưa đủ
sign-in-unfit = Nơi đề nghị đăng nhập cần mức bảo đảm cao hơn. Khóa hoặc ứng dụng mới thêm bằng mã tin nhắn đạt mức đó sau 72 giờ, hoặc ngay sau khi cán bộ một cửa kiểm tra thẻ căn cước.

sign-in-capped = Cơ quan này đã dùng hết tin nhắn của tháng. Xin dùng khóa truy cập hoặc mã trong ứng dụng, hoặc đến bộ phận một cửa.

sign-in-sms = { $code } la ma dang nhap cua { $person } tai { $portal }. Dung trong 5 phut. Khong dua ma cho bat ky ai, ke ca can bo.
sign-in-sms-page = Chung

consent-title = { $portal } sẽ nhận những thông tin sau
consent-title-nothing = Trở lại { $portal }
consent-lead = Để { $purpose }. Chỉ đúng các mục dưới đây, cho lần đăng nhập này.
consent-nothing = { $portal } chỉ biết rằng ông/bà đã đăng nhập. Không thông tin cá nhân nào được gửi.
consent-by-law = Theo quy định
consent-by-law-note = Cổng được nhận các mục này theo văn bản ghi dưới mỗi mục, không cần ông/bà đồng ý. Nếu không muốn, ông/bà có thể không tiếp tục.
consent-basis = Căn cứ: { $basis }
consent-choices = Tùy ông/bà
consent-choices-note = Không chọn mục nào vẫn tiếp tục được.
consent-value-missing = chưa có trong cơ sở dữ liệu
consent-agree = Đồng ý và tiếp tục
consent-go-on = Tiếp tục
consent-refuse = Không tiếp tục
consent-refuse-note = Nếu không tiếp tục, không thông tin nào được gửi; ông/bà có thể nộp hồ sơ trực tiếp tại bộ phận một cửa.
consent-who = Đang đăng nhập: { $person }.
consent-another = Không phải tôi

claim-name = Họ và tên
claim-birthdate = Ngày sinh
claim-gender = Giới tính
claim-personal_number = Số định danh cá nhân
claim-old_number = Số chứng minh nhân dân cũ
claim-phone_number = Số điện thoại
claim-address = Tỉnh, thành phố cư trú
claim-account_level = Mức tài khoản định danh điện tử
claim-gender-male = Nam
claim-gender-female = Nữ

sign-out-title = Đăng xuất
sign-out-question = Ông/bà muốn đăng xuất khỏi trình duyệt này?
sign-out-confirm = Đăng xuất
sign-out-done-title = Đã đăng xuất
sign-out-done = Ông/bà đã đăng xuất khỏi Chung trên trình duyệt này. Nếu dùng máy chung, xin đóng cả trình duyệt.

sign-in-misaddressed-title = Không mở được trang đăng nhập
sign-in-unknown-client = Liên kết này đến từ một cổng mà chúng tôi không biết. Xin mở lại từ trang chính thức của cổng dịch vụ công.
sign-in-unknown-redirect = Địa chỉ trở về trong liên kết này không phải của cổng đã đăng ký, nên chúng tôi không chuyển ông/bà đi đâu cả. Xin mở lại từ trang chính thức của cổng.
sign-in-over-title = Lần đăng nhập này đã kết thúc
sign-in-over = Liên kết đăng nhập chỉ dùng được một lần, trong 15 phút, trên trình duyệt đã mở nó. Xin trở lại cổng và bấm đăng nhập lần nữa.
sign-in-barred-title = Không đăng nhập được
sign-in-barred = Định danh điện tử này hiện không dùng được để đăng nhập. Xin đến công an phường, xã mang theo thẻ căn cước, hoặc gọi 1022.
