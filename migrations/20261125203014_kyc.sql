-- Which consents have had their one delivery of a signed token with the consented claims.
CREATE TABLE kyc_delivery (
    consent_id uuid        NOT NULL REFERENCES consent,
    client_id  uuid        NOT NULL REFERENCES client,   -- who received it
    at         timestamptz NOT NULL,
    CONSTRAINT kyc_delivery_pkey PRIMARY KEY (consent_id)
);
