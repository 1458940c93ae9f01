"""The web process: GitHub's deliveries in, pages out."""
