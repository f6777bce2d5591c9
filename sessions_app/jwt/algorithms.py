"""What may sign. Which one does is decided by the key, never by the token."""

OWN = "HS256"
ASYMMETRIC = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}
"""For outside issuers, in order of preference: what kind of key each takes. No shared secrets among them."""
