"""All parts of the local Azure together, for one app.

config    the file that names the app, its entities and its settings
parts     one process per part: started, awaited, stopped
storage   the containers and tables that infrastructure would have made
stack     the order of it all
"""
