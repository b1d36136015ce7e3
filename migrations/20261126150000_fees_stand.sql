-- What a version of the fee schedule says never changes: another version takes its place. So a node may remember a version
-- that it has read, and need only ask which one is in force.
create trigger fee_procedure_stands before update or delete on fee_procedure
    for each row execute function refuse_change();
create trigger fee_item_stands before update or delete on fee_item
    for each row execute function refuse_change();
create trigger fee_adjustment_stands before update or delete on fee_adjustment
    for each row execute function refuse_change();
