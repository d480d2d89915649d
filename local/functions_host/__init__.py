"""A Functions host for one machine: runs any Python v2-model app as the real host and worker do.

It indexes `function_app.py` once, decodes what arrives with the converters of `azure.functions`
(the code that the real worker uses), calls the function, writes its outputs, and settles the
message. What Azure's host does is copied from its sources; where we differ, the code says so.
"""
