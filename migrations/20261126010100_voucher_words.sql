-- After their retention the sealed words of vouchers are destroyed, and nothing else of the rows: money, parties to the
-- decision and instants stay. Rows that never change let exactly this pass.
CREATE FUNCTION words_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE word text := TG_ARGV[0];
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) ->> word = '\x' AND to_jsonb(NEW) - word = to_jsonb(OLD) - word THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER desk_payout_is_append_only ON desk_payout;
CREATE TRIGGER desk_payout_is_append_only BEFORE UPDATE OR DELETE ON desk_payout
    FOR EACH ROW EXECUTE FUNCTION words_guard('payee');
DROP TRIGGER case_note_is_append_only ON case_note;
CREATE TRIGGER case_note_is_append_only BEFORE UPDATE OR DELETE ON case_note
    FOR EACH ROW EXECUTE FUNCTION words_guard('words');
DROP TRIGGER statement_line_is_append_only ON statement_line;
CREATE TRIGGER statement_line_is_append_only BEFORE UPDATE OR DELETE ON statement_line
    FOR EACH ROW EXECUTE FUNCTION words_guard('told');

-- The job finds what is over.
CREATE INDEX refund_by_age ON refund (requested_at) WHERE length(words) > 0;
