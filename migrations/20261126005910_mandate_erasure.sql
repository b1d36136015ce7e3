-- An erasure ends the citizen's mandates on both sides: the row stays for whoever acted under it, and says why.
ALTER TABLE mandate DROP CONSTRAINT mandate_ended_by;
ALTER TABLE mandate ADD CONSTRAINT mandate_ended_by CHECK
    (ended_by IN ('revoked_by_principal', 'revoked_by_delegate', 'declined', 'death', 'incapacity', 'erasure'));
-- What an officer checked last, wherever they serve.
CREATE INDEX card_check_by_officer ON card_check (officer_id, id DESC);
