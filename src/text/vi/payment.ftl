# Checkout, waiting, paid, and the words of a fee computation.
payment-title = Nộp phí hồ sơ
