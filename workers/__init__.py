"""The pipeline: fetch, triage, analyse; the only folder that knows GitHub and the model."""
