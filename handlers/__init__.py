"""Triggers only: each decodes what it was given, makes one call, and answers.

The twin of a handler, and all that it decides, is the module of the same name in `mesh`.
"""
