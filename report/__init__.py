"""Records of a day in, pages out; knows nothing of Celery, GitHub, the model or Slack."""
