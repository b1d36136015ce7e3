-- Receipts: a number drawn without gaps, the content fixed when the money settles, the files as they were first made.

-- The last number drawn of each series. One series for each agency, kind and year (Vietnam), so that agencies never
-- wait for each other; a settling batch draws a whole range per series with one statement, in the order of the key,
-- and the numbers are gapless because the draw commits or vanishes together with the receipts.
CREATE TABLE receipt_series (
    agency_id uuid     NOT NULL,
    kind      text     NOT NULL CONSTRAINT receipt_series_kind CHECK (kind IN ('phi', 'le_phi')),
    year      smallint NOT NULL,
    last      bigint   NOT NULL CONSTRAINT receipt_series_last CHECK (last > 0),
    CONSTRAINT receipt_series_pkey PRIMARY KEY (agency_id, kind, year)
) WITH (fillfactor = 50);

-- One receipt: phí and lệ phí of one bill have one each (Law 97/2015).
CREATE TABLE receipt (
    id         uuid        PRIMARY KEY,
    number     text        NOT NULL CONSTRAINT receipt_number_key UNIQUE,  -- as printed, e.g. H29.14-AP26E-0000001
    agency_id  uuid        NOT NULL,
    kind       text        NOT NULL CONSTRAINT receipt_kind CHECK (kind IN ('phi', 'le_phi')),
    bill_id    uuid        NOT NULL,
    payment_id uuid        NOT NULL,
    amount     bigint      NOT NULL CONSTRAINT receipt_amount CHECK (amount > 0),
    issued_at  timestamptz NOT NULL,
    -- What the signature covers, as canonical JSON, sealed under the agency's key: it names the payer.
    content    bytea       NOT NULL,
    key        integer     NOT NULL,
    digest     bytea       NOT NULL CONSTRAINT receipt_digest CHECK (length(digest) = 32),  -- SHA-256 of the content
    leaf_id    uuid        NOT NULL,  -- the leaf that commits to the digest
    CONSTRAINT receipt_once UNIQUE (bill_id, kind)
);
CREATE INDEX receipt_of_agency ON receipt (agency_id, id);
CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE ON receipt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The files of a receipt, made once and kept byte for byte (sealed under the agency's key). Two makers at once: the
-- first one's bytes stay.
CREATE TABLE receipt_file (
    receipt_id uuid        NOT NULL REFERENCES receipt,
    format     text        NOT NULL CONSTRAINT receipt_file_format CHECK (format IN ('jws', 'xml', 'pdf')),
    bytes      bytea       NOT NULL,
    key        integer     NOT NULL,
    made_at    timestamptz NOT NULL,
    CONSTRAINT receipt_file_pkey PRIMARY KEY (receipt_id, format)
);
CREATE TRIGGER receipt_file_append_only BEFORE UPDATE OR DELETE ON receipt_file
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
