"""Stand-ins for GitHub, Anthropic and Slack: real HTTP servers on loopback, with tests of their own."""
