"""What Daybook is measured beside: small servers on others' libraries, and their configuration."""
