-- Privacy at rest: the master key rotates, a citizen's traces can be erased, and every class of data has its time.

-- Which data keys are still wrapped by an old master key: the rotation finds them, however often it is stopped.
CREATE INDEX register_person_generation ON register_person (key_generation, citizen_id);

-- One rotation to a master key's generation. It is done when no data key is wrapped by an older one; until then the
-- older key must stay in the key file.
CREATE TABLE key_rotation (
    generation  integer     PRIMARY KEY,       -- the generation that it leads to
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    rewrapped   bigint      NOT NULL DEFAULT 0 -- data keys wrapped anew so far
);

-- A citizen whose key was destroyed. The identifier stands for nobody any more; what law keeps is on the vouchers.
CREATE TABLE erasure (
    citizen_id uuid        PRIMARY KEY REFERENCES citizen,
    at         timestamptz NOT NULL,
    leaf_id    uuid        NOT NULL,           -- the decision in the audit log
    vouchers   integer     NOT NULL            -- how many receipts stayed with their agencies
);

-- What the retention job did, one row for each run and class that lost something.
CREATE TABLE retention_run (
    class   text        NOT NULL,
    at      timestamptz NOT NULL,
    removed bigint      NOT NULL CONSTRAINT retention_run_removed CHECK (removed > 0),
    PRIMARY KEY (class, at)
);

-- After its retention a voucher's content is destroyed, and nothing else of the row: number, sum and digest stay. The
-- triggers let exactly this pass.
CREATE FUNCTION receipt_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND length(NEW.content) = 0 AND
       (NEW.id, NEW.number, NEW.agency_id, NEW.kind, NEW.bill_id, NEW.payment_id, NEW.amount, NEW.issued_at, NEW.key,
        NEW.digest, NEW.leaf_id) IS NOT DISTINCT FROM
       (OLD.id, OLD.number, OLD.agency_id, OLD.kind, OLD.bill_id, OLD.payment_id, OLD.amount, OLD.issued_at, OLD.key,
        OLD.digest, OLD.leaf_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'receipt is append-only' USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER receipt_append_only ON receipt;
CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE ON receipt
    FOR EACH ROW EXECUTE FUNCTION receipt_guard();
CREATE INDEX receipt_by_age ON receipt (issued_at) WHERE length(content) > 0;

CREATE FUNCTION receipt_file_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM receipt WHERE id = OLD.receipt_id AND length(content) = 0) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'receipt_file is append-only' USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER receipt_file_append_only ON receipt_file;
CREATE TRIGGER receipt_file_append_only BEFORE UPDATE OR DELETE ON receipt_file
    FOR EACH ROW EXECUTE FUNCTION receipt_file_guard();

-- Drops the months of a partitioned table that are wholly over; how many.
CREATE FUNCTION drop_months(parent text, before timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE month text; dropped bigint := 0;
BEGIN
    FOR month IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = parent::regclass AND c.relname ~ ('^' || parent || '_[0-9]{6}$')
    LOOP
        IF (to_date(right(month, 6), 'YYYYMM') + INTERVAL '1 month')::timestamp AT TIME ZONE 'UTC' <= before THEN
            EXECUTE format('DROP TABLE %I', month);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
