# What goes out by SMS and e-mail.
message-sender = Chung
