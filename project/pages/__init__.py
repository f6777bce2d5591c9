"""Pages that look across apps: `/` for everybody, and `/me/` for whoever is signed in."""
