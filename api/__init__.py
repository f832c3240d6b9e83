"""HTTP applications, the command line, the doctor and the demonstration."""
