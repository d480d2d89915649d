"""The way out to subscribers: signed HTTP requests that cannot be aimed at the inside.

secrets     one master key becomes a secret per subscription; nothing is stored
signing     the headers of Standard Webhooks 1.0
targets     which URLs may be a webhook
addresses   which IP addresses are on the public internet
resolver    host name → addresses, within a time limit
connection  TCP and TLS to an address that was checked, within a deadline
sender      one attempt; the handshake that asks for consent
"""
