# What goes out by SMS and e-mail. SMS: unaccented, one segment, no links; they name person, act and place.
message-sender = Chung
sms-change-phone = { $code } la ma doi so dien thoai cua { $person } tai { $portal }. Dung trong 10 phut. Khong dua ma cho bat ky ai, ke ca can bo.
sms-notice-signed_in = { $person }: vua dang nhap tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code }
sms-notice-way_enrolled = { $person }: vua them cach dang nhap moi tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-way_removed = { $person }: vua go mot cach dang nhap tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-phone_changed = { $person }: ma cua { $portal } vua chuyen sang so khac. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-mail_changed = { $person }: vua doi thu dien tu nhan thong bao tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-recovered = { $person }: can bo vua khoi phuc cach dang nhap tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-lock_lifted = { $person }: dinh danh tai { $portal } vua duoc mo khoa. Khong phai ong/ba? Tra loi KHOA { $code } de khoa lai.
sms-notice-mandate_granted = { $person }: vua uy quyen cho nguoi khac tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-mandate_recorded = { $person }: can bo vua ghi nhan ong/ba uy quyen cho nguoi khac tai { $portal }. Khong phai ong/ba? Tra loi KHOA { $code } de khoa ngay.
sms-notice-refund_redirected = { $person }: tien hoan vua doi noi nhan tren { $portal }, xem o trang cua toi. Co gi la? Tra loi KHOA { $code } de khoa ngay.
sms-erased = { $person }: du lieu tai { $portal } vua bi xoa vinh vien. Khong phai ong/ba? Goi 1022 hoac den bo phan mot cua voi the can cuoc.
sms-locked = Da khoa dinh danh cua { $person } tai { $portal }. Mo lai tai bo phan mot cua voi the can cuoc. Ho tro 1022.
sms-whose = { $person }{ $portal }: nhieu nguoi dung chung so nay. Xin tra loi KHOA kem ma trong tin nhan, vi du KHOA ABCD2345.
mail-code-subject = Mã xác nhận thư điện tử
mail-code = { $code } là mã xác nhận hộp thư này để nhận thông báo của Chung. Mã dùng trong 10 phút. Nếu ông/bà không yêu cầu, xin bỏ qua thư này.
mail-refund-subject = Thông báo về khoản hoàn trả
mail-refund =
    Kính gửi { $person },
    Khoản hoàn trả { $amount } ({ $reason }): { $step }.
    Nơi đang giữ bước này: { $holder }.
    Căn cứ: { $basis }.
    Không cần trả lời thư này; từng bước hiện trên trang của khoản nộp và trên trang của Quý vị.
mail-notice-subject = Thông báo về định danh điện tử của ông/bà
mail-notice =
    Kính gửi { $person },
    Lúc { $at }, tại { $portal }: { $what }
    Nếu đó là ông/bà, không cần làm gì.
    Nếu không phải, xin mở trang { $page } và nhập mã { $code }. Định danh sẽ bị khóa ngay; mở lại tại bộ phận một cửa với thẻ căn cước.
mail-erased =
    Kính gửi { $person },
    Lúc { $at }, dữ liệu về ông/bà tại Chung đã được xóa vĩnh viễn, trừ những gì luật buộc lưu giữ. Thông báo sẽ không còn gửi đến hộp thư này.
    Nếu đó là ông/bà, không cần làm gì.
    Nếu không phải, xin gọi 1022 hoặc đến bộ phận một cửa với thẻ căn cước.
notice-signed_in = có người đăng nhập bằng định danh của ông/bà
notice-way_enrolled = một cách đăng nhập mới được thêm
notice-way_removed = một cách đăng nhập được gỡ
notice-phone_changed = số điện thoại nhận mã được đổi
notice-mail_changed = thư điện tử nhận thông báo được đổi
notice-recovered = cán bộ một cửa khôi phục cách đăng nhập
notice-lock_lifted = định danh được mở khóa
notice-mandate_granted = ông/bà ủy quyền cho người khác
notice-mandate_recorded = cán bộ một cửa ghi nhận ông/bà ủy quyền cho người khác
notice-refund_redirected = tiền hoàn không về tài khoản đã nộp mà chờ nhận ở nơi khác

# Trang chi phí tin nhắn của cơ quan.
sms-report-title = Chi phí tin nhắn
sms-report-used = Đã dùng { $segments } trên { $most } tin của tháng, hết { $cost }.
sms-report-meter = Mức dùng trong tháng
sms-report-none = Tháng này chưa gửi tin nhắn nào.
sms-report-kind = Loại tin
sms-report-segments = Số tin
sms-report-cost = Chi phí
sms-report-month = Tháng
sms-report-kind-sign-in-code = Mã đăng nhập
sms-report-kind-counter-started = Mời đồng ý từ quầy
sms-report-kind-contact-code = Mã xác nhận số điện thoại
sms-report-kind-notice-warning = Cảnh báo thay đổi quan trọng
sms-report-kind-notice-answer = Trả lời tin khóa
