# Receipts: the paper, the check page, the verifier.
receipt-title = Biên lai
