"""Password hashes by other programs, in their own formats, and the passwords."""

from base64 import b64encode
from typing import Final, NamedTuple


class Vector(NamedTuple):
    """A hash, the program that made it, and its password."""

    source: str
    hashed: str
    password: str = "pässword of the vectors"


def _phc(parameters: str, key: str) -> str:
    """Return an RFC's hexadecimal test vector as a PHC string; the salt is always NaCl."""
    encoded = (b64encode(each).decode().rstrip("=") for each in (b"NaCl", bytes.fromhex(key)))
    return parameters + "$".join(encoded)


VECTORS: Final = (
    # The manual of PHP, crypt() and password_hash()
    Vector(
        "php-crypt",
        "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi",
        "rasmuslerdorf",
    ),
    Vector(
        "php-password-hash",
        "$2y$10$.vGA1O9wmRjrwAVXD98HNOgsNpDczlqm3Jq7KnEd1rVAGv3Fykk1a",
        "rasmuslerdorf",
    ),
    # The tests of crypt_blowfish; of the second only 72 bytes count.
    Vector("crypt-blowfish", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    Vector(
        "crypt-blowfish-long",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789chars after 72 are ignored",
    ),
    # The tests of the reference implementation of Argon2
    Vector(
        "argon2i",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        "password",
    ),
    Vector(
        "argon2id",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "password",
    ),
    Vector(
        "argon2i-of-version-16",
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "password",
    ),
    # RFC 7914 section 12, the second vector, and section 11, the second one, as PHC strings
    Vector(
        "rfc7914-scrypt",
        _phc(
            "$scrypt$ln=10,r=8,p=16$",
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        ),
        "password",
    ),
    Vector(
        "rfc7914-pbkdf2",
        _phc(
            "$pbkdf2-sha256$i=80000,l=64$",
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
            "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
        ),
        "Password",
    ),
    # Django 5.2, its hashers with few rounds
    Vector(
        "django-pbkdf2-sha256",
        "pbkdf2_sha256$1000$seasalt0seasalt0seasal$k7qWlh6N4AGTBaifhc2kMC2Ou4PmLfuSoKYhkuxIePI=",
    ),
    Vector(
        "django-pbkdf2-sha1",
        "pbkdf2_sha1$1000$seasalt0seasalt0seasal$fZWK657eWIkDowjp4QdKOwylo+g=",
    ),
    Vector(
        "django-argon2",
        "argon2$argon2id$v=19$m=64,t=1,p=2$c2Vhc2FsdDBzZWFzYWx0MA"
        "$f1uCvIrQmjdVplhai+fcQIM+WycbU9PSiDurQgOcoI0",
    ),
    Vector("django-bcrypt", "bcrypt$$2b$04$sQUj8r/s5iPT0qMQ9WhYF.VgnV5y7Z6g/4lwU5n/UVERkJC4vPL9e"),
    Vector(
        "django-bcrypt-sha256",
        "bcrypt_sha256$$2b$04$QrXbofF1sB8Rbd3YUheiVu8e/ToRnu8qumB0VEOk8IuC9txkPZ4O.",
    ),
    Vector(
        "django-scrypt",
        "scrypt$1024$seasalt0seasalt0seasal$8$5$OgjTFY+RK9/8kqpnWKqWwiELGIYSXr+nW81b5NE4CcZCVA0V"
        "RIUK6G8DT2qZsqXsYI8Q5BpjfDAf2dgkgUvuZA==",
    ),
    # Werkzeug 3.1, generate_password_hash
    Vector(
        "werkzeug-scrypt",
        "scrypt:1024:8:1$0hoLVNWNsim5KDLw$9e23ef4dcb09422a6448f035fa0f5749260b88a8a177460fb924216d"
        "213b4c9c90b70dd345b97790e1f74448feba20bc8ecfb9935059233e1ae6394c16e5670b",
    ),
    Vector(
        "werkzeug-pbkdf2-sha256",
        "pbkdf2:sha256:1000$yVbyVor7Lj6mXELM"
        "$c394bdcaf5fdbcf14d2e7e3717a065abbd538417f144135965ac7508dac229b9",
    ),
    Vector(
        "werkzeug-pbkdf2-sha512",
        "pbkdf2:sha512:1000$6EWFfNscGimUzB3u$5c1ead07cbc85c6c37ad2cdd0c0c1f3bac6b0eb17924a7a681a029"
        "6f4f34be599031513168a46ccb0f27eb7c9f104c01283c362f04cd9ee2495d79ae2666df3a",
    ),
    Vector(
        "werkzeug-pbkdf2-sha1",
        "pbkdf2:sha1:1000$zPd1BfmGKAajosHH$fa690147353cd781af13354014122c1ebcf5a687",
    ),
    # libpass 1.9, which is passlib's successor
    Vector(
        "passlib-scrypt",
        "$scrypt$ln=10,r=8,p=1$zTlHKGUsBYBwznlvDYEwZg$GMm1KeMe5mUXrS3suV/kUU6KFo26zVHNyfWGoPWTx3s",
    ),
    Vector(
        "passlib-pbkdf2-sha1",
        "$pbkdf2$1000$kbJWitHae6/VWqv1vjdGaA$Gwl.doInm1bdOX0OCA84ZZ6bGqY",
    ),
    Vector(
        "passlib-pbkdf2-sha256",
        "$pbkdf2-sha256$1000$OKfU.j.nFGLsXSuFUGot5Q$XCs/shBL5UkrWAtlodA4HyoAnZZBP1QpWM6VFeWDlBk",
    ),
    Vector(
        "passlib-pbkdf2-sha512",
        "$pbkdf2-sha512$1000$YEzpfa917t3be0.J8R4DAA$4jQRiBBT3NCTlMAbWGN26abAJcMw1gevkoEONjO6qfOnNIZj"
        "xSBDelBhXdRtUFANmsGrL7yGXM3tGjW1xjYIbA",
    ),
    Vector("passlib-bcrypt-2a", "$2a$04$FJjq.eUKRd/XUtcFzJHs7uW0AWZF55mfmGZ./Bl/dZ05DKTGvMy2i"),
    Vector("passlib-bcrypt-2b", "$2b$04$/XBUaNeyrWOZslfTIFWLSeA552.l22TIm6.NHqCGThoAQv3fUnw8K"),
    Vector("passlib-bcrypt-2y", "$2y$04$qK6JHVDck4hMPqzFWAZdBO7ErIZLzRICCsPGcU2EEjIT7tdTI0tiC"),
    Vector(
        "passlib-argon2id",
        "$argon2id$v=19$m=64,t=1,p=2$VEpJCUFIaS3lPGdsjdEaIw"
        "$mFPfTR/gVpO83T+PHVsSOoTZWtB7LNAvfT9B7pps+DQ",
    ),
    Vector(
        "passlib-argon2d",
        "$argon2d$v=19$m=64,t=1,p=2$3nvP+V8LQQihlNKa01rLeQ"
        "$QRcV7lPhHgCC2Ur9zrynMUXGCdQ2jym37Rsj3a5pMgw",
    ),
)
