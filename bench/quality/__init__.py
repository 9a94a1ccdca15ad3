"""The evidence for detection quality: sections that measure, and the page that tells what they found."""
