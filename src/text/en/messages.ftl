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
mail-code-subject = Code to confirm this mailbox
mail-code = { $code } confirms this mailbox for notices from Chung. Valid for 10 minutes. If you did not ask for it, please ignore this letter.
mail-refund-subject = About money that goes back to you
mail-refund =
    Dear { $person },
    A refund of { $amount } ({ $reason }): { $step }.
    Who holds this step: { $holder }.
    Legal basis: { $basis }.
    Nobody has to do anything by answering this letter; each step stands on the page of the bill and on your own page.
mail-notice-subject = Notice about your electronic identity
mail-notice =
    Dear { $person },
    At { $at }, at { $portal }: { $what }
    If that was you, nothing need be done.
    If it was not, please open { $page } and enter the code { $code }. Your identity will be locked at once; a one-stop counter opens it again with your identity card.
mail-erased =
    Dear { $person },
    At { $at } what Chung held about you was erased for good, but for what law keeps. No more notices go to this mailbox.
    If that was you, nothing need be done.
    If it was not, please call 1022, or bring your identity card to a one-stop counter.
notice-signed_in = somebody signed in with your identity
notice-way_enrolled = a way to sign in was added
notice-way_removed = a way to sign in was removed
notice-phone_changed = the phone that gets codes was changed
notice-mail_changed = the mailbox that gets notices was changed
notice-recovered = an officer restored your ways to sign in
notice-lock_lifted = your identity was unlocked
notice-mandate_granted = you let somebody act for you
notice-mandate_recorded = an officer recorded that you let somebody act for you
notice-refund_redirected = a refund does not go back to the account that paid and waits elsewhere

# The page of what an agency's SMS cost.
sms-report-title = Cost of SMS
sms-report-used = { $segments } of the month’s { $most } messages are used, for { $cost }.
sms-report-meter = Used this month
sms-report-none = No SMS was sent in this month.
sms-report-kind = Kind
sms-report-segments = Messages
sms-report-cost = Cost
sms-report-month = Month
sms-report-kind-sign-in-code = Sign-in codes
sms-report-kind-counter-started = Asked to approve at a counter
sms-report-kind-contact-code = Codes that confirm a phone number
sms-report-kind-notice-warning = Warnings of dangerous changes
sms-report-kind-notice-answer = Answers to a lock by SMS
