"""What Streamgauge alone is asked: one file for each question, each with a NAME, a TITLE, an ABOUT and `measure`."""
