"""Who may come in: API keys, the secret that all HMACs are made with, logins in addresses, origins of web pages."""
