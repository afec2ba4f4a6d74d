"""Microphones and loudspeakers, real, on file and in memory."""
