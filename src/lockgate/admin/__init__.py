"""The control plane's API: what manages keys, people, workspaces, providers and limits. ``app.create_app`` is its door.

``resources/`` holds one module for each resource; everything else here serves them all.
"""
