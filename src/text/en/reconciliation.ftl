# The accountant’s reconciliation board and its cases.
reconciliation-title = Reconciliation
