-- An officer reads a chip card: one row for each reading that was judged, whatever the verdict.
--
-- Nothing of the card stands in the clear, and the portrait stands nowhere. The signed result with the salt of its
-- digests is sealed under the agency's key; what the citizen may read of it is the sealed detail of the audit leaf.
CREATE TABLE card_check (
    id         uuid        PRIMARY KEY,
    at         timestamptz NOT NULL,
    agency_id  uuid        NOT NULL REFERENCES agency,
    officer_id uuid        NOT NULL REFERENCES citizen,   -- who read the card and saw the person
    citizen_id uuid,                                      -- whose card; absent unless the card is genuine and on record
    verdict    text        NOT NULL CONSTRAINT card_check_verdict CHECK (verdict IN
               ('passed', 'not_genuine', 'unsupported', 'unreadable', 'expired', 'another_person', 'not_on_record',
                'differs', 'deceased')),
    sealed     bytea       NOT NULL,                      -- 32 bytes of salt, then the signed result
    generation integer     NOT NULL,
    -- A passed check is used once: for what, and when. The three go together.
    used_at    timestamptz,
    used_for   text,                                      -- the kind of decision that rests on it
    used_by    uuid,                                      -- that decision's object
    CONSTRAINT card_check_used CHECK (num_nulls(used_at, used_for, used_by) IN (0, 3)),
    CONSTRAINT card_check_usable CHECK (used_at IS NULL OR verdict = 'passed'),
    CONSTRAINT card_check_whose CHECK (verdict <> 'passed' OR citizen_id IS NOT NULL)
);
-- The newest unused check of a citizen before an officer at an agency.
CREATE INDEX card_check_unused ON card_check (citizen_id, officer_id, agency_id, at DESC)
    WHERE verdict = 'passed' AND used_at IS NULL;
-- What an agency's officers did, the newest first.
CREATE INDEX card_check_of_agency ON card_check (agency_id, id DESC);

-- What was decided stays as it was decided; only the use is added, once.
CREATE FUNCTION card_check_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.used_at IS NOT NULL
       OR (NEW.id, NEW.at, NEW.agency_id, NEW.officer_id, NEW.citizen_id, NEW.verdict)
          IS DISTINCT FROM (OLD.id, OLD.at, OLD.agency_id, OLD.officer_id, OLD.citizen_id, OLD.verdict) THEN
        RAISE EXCEPTION 'a card check is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER card_check_guarded BEFORE UPDATE OR DELETE ON card_check
    FOR EACH ROW EXECUTE FUNCTION card_check_guard();
