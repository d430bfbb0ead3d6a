"""The identity manager: accounts, presence, certificates, look-up of addresses."""
