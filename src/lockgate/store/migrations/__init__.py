"""The steps from one version of the database to the next, in order. A step that was released is never edited."""
