# Checkout, waiting, paid, and the words of a fee computation.
payment-title = Pay a dossier fee
