# The sandbox: member banks, SMS inbox, demo portal.
sandbox-title = Môi trường thử
