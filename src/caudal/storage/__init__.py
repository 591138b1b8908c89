"""Where results live: serializers by type, and stores for the bytes they make."""
