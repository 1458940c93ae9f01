"""What a commit is and where it is written down."""
