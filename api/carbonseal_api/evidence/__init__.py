"""Evidence: contents by digest, document files, and any statement taken apart down to its anchor."""
