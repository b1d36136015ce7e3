-- Money that a desk took on paper for a bill that asks for nothing any more (withdrawn, replaced, past its last day) goes
-- back by a rule, as second money does: it lies in the till, and nobody has to ask for what nobody owed.
alter table refund drop constraint refund_rule;
alter table refund add constraint refund_rule check (rule in ('second_money', 'unowed_money'));
comment on column refund.rule is 'Or the rule that asks nobody: second money, or money on paper that nobody owed.';
