"""What Ringpost does, one verb per file: the listing of this folder is the list of features."""
