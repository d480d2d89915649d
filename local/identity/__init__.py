"""A token issuer for one machine, as Microsoft Entra is one for the world.

It speaks what an OpenID provider speaks about itself (discovery, keys) and OAuth 2.0 client
credentials, and signs access tokens of the form v2.0. Whoever knows the one client secret gets a
token for any application that the registrations allow: it stands in for a directory, not for its
administration. Loopback only; a token is worth nothing anywhere else.
"""
