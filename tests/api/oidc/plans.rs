//! The certification plans of the OpenID Foundation, module by module: the test of ours that does the same, or why
//! there is none.

/// A module: its name in the suite, and the test that stands for it, or `-` and the reason.
type Module = (&'static str, &'static str);

/// `oidcc-basic-certification-test-plan`. Its clients must be registered with PKCE, which we never do without.
const BASIC: &[Module] = &[
    ("oidcc-server", "a_citizen_signs_in_and_the_portal_learns_what_was_agreed"),
    ("oidcc-response-type-missing", "each_defect_has_its_code"),
    ("oidcc-idtoken-signature", "a_citizen_signs_in_and_the_portal_learns_what_was_agreed"),
    ("oidcc-idtoken-unsigned", "- no ID token is unsigned, and none can be asked for"),
    ("oidcc-userinfo-get", "a_citizen_signs_in_and_the_portal_learns_what_was_agreed"),
    ("oidcc-userinfo-post-header", "userinfo_takes_the_token_in_the_header_or_in_a_form"),
    ("oidcc-userinfo-post-body", "userinfo_takes_the_token_in_the_header_or_in_a_form"),
    (
        "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
        "what_may_be_left_out_or_added_does_no_harm",
    ),
    ("oidcc-scope-profile", "a_citizen_signs_in_and_the_portal_learns_what_was_agreed"),
    ("oidcc-scope-email", "- the register knows no e-mail address, and discovery does not offer the scope"),
    ("oidcc-scope-address", "- offered; what the register knows of an address is the province"),
    ("oidcc-scope-phone", "what_was_not_ticked_is_not_told"),
    ("oidcc-scope-all", "a_citizen_signs_in_and_the_portal_learns_what_was_agreed"),
    ("oidcc-alternate-happy-flow", "- for clients that need another flow than the first one; ours have one"),
    ("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", "each_defect_has_its_code"),
    ("oidcc-ensure-other-scope-order-succeeds", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-display-page", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-display-popup", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-prompt-login", "a_new_sign_in_is_forced_by_prompt_and_by_age"),
    ("oidcc-prompt-none-not-logged-in", "without_pages_nobody_is_signed_in_by_surprise"),
    ("oidcc-prompt-none-logged-in", "without_pages_nobody_is_signed_in_by_surprise"),
    ("oidcc-max-age-1", "a_new_sign_in_is_forced_by_prompt_and_by_age"),
    ("oidcc-max-age-10000", "a_new_sign_in_is_forced_by_prompt_and_by_age"),
    ("oidcc-ensure-request-with-unknown-parameter-succeeds", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-id-token-hint", "a_hint_names_whom_the_portal_means"),
    ("oidcc-login-hint", "a_pushed_hint_fills_the_form_and_no_row_tells_the_number"),
    ("oidcc-ui-locales", "the_portal_suggests_the_language"),
    ("oidcc-claims-locales", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-ensure-request-with-acr-values-succeeds", "what_may_be_left_out_or_added_does_no_harm"),
    ("oidcc-codereuse", "of_two_exchanges_of_one_code_one_wins_and_a_replay_revokes"),
    ("oidcc-codereuse-30seconds", "of_two_exchanges_of_one_code_one_wins_and_a_replay_revokes"),
    ("oidcc-ensure-registered-redirect-uri", "nobody_is_sent_to_an_address_that_is_not_registered"),
    ("oidcc-ensure-post-request-succeeds", "a_request_may_come_by_form"),
    ("oidcc-server-client-secret-post", "- a secret has one place, the Authorization header"),
    (
        "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
        "a_defect_is_told_to_the_portal_by_its_code",
    ),
    ("oidcc-claims-essential", "a_claim_is_asked_for_by_name"),
    ("oidcc-ensure-request-object-with-redirect-uri", "- request objects are refused as unsupported"),
    ("oidcc-refresh-token", "a_refresh_token_is_rotated_and_an_old_one_ends_its_family"),
    (
        "oidcc-ensure-request-with-valid-pkce-succeeds",
        "a_citizen_signs_in_and_the_portal_learns_what_was_agreed",
    ),
];

/// `oidcc-rp-initiated-logout-certification-test-plan`.
const LOGOUT: &[Module] = &[
    ("oidcc-rp-initiated-logout-discovery-endpoint-verification", "discovery_names_endpoints_that_answer"),
    ("oidcc-rp-initiated-logout", "signing_out_ends_the_session_and_its_tokens"),
    ("oidcc-rp-initiated-logout-no-state", "a_key_is_rotated_with_overlap_and_no_request_fails"),
    (
        "oidcc-rp-initiated-logout-no-params",
        "a_portal_is_told_when_a_session_ends_and_told_again_until_it_hears",
    ),
    (
        "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
        "what_was_granted_beyond_the_session_outlives_signing_out_and_nothing_else_does",
    ),
    (
        "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
        "nobody_is_sent_elsewhere_after_signing_in_or_out",
    ),
    (
        "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
        "redirect_uris_are_compared_letter_by_letter",
    ),
    ("oidcc-rp-initiated-logout-bad-id-token-hint", "a_hint_that_is_not_ours_signs_nobody_out"),
    ("oidcc-rp-initiated-logout-modified-id-token-hint", "a_hint_that_is_not_ours_signs_nobody_out"),
    ("oidcc-rp-initiated-logout-no-id-token-hint", "a_page_of_another_origin_cannot_sign_anybody_out"),
    ("oidcc-rp-initiated-logout-only-state", "a_hint_that_is_not_ours_signs_nobody_out"),
];

/// `oidcc-backchannel-rp-initiated-logout-certification-test-plan`.
const BACK_CHANNEL: &[Module] = &[
    ("oidcc-backchannel-logout-discovery-endpoint-verification", "discovery_names_endpoints_that_answer"),
    (
        "oidcc-backchannel-rp-initiated-logout",
        "a_portal_is_told_when_a_session_ends_and_told_again_until_it_hears",
    ),
];

/// `fapi2-security-profile-final-test-plan` with `private_key_jwt`, DPoP, a plain request and a plain response; each name
/// begins with `fapi2-security-profile-final-`. Modules of national profiles and of Message Signing are not ours.
const FAPI2: &[Module] = &[
    ("discovery-end-point-verification", "discovery_names_endpoints_that_answer"),
    ("happy-flow", "a_strict_portal_signs_a_citizen_in_with_pushed_request_key_and_bound_tokens"),
    ("ensure-authorization-request-without-state-success", "what_may_be_left_out_or_added_does_no_harm"),
    ("ensure-authorization-request-without-nonce-success", "what_may_be_left_out_or_added_does_no_harm"),
    ("ensure-other-scope-order-succeeds", "what_may_be_left_out_or_added_does_no_harm"),
    ("access-token-type-header-case-sensitivity", "userinfo_takes_the_token_in_the_header_or_in_a_form"),
    ("ensure-client-id-in-token-endpoint", "every_forged_or_borrowed_assertion_is_refused"),
    ("ensure-holder-of-key-required", "every_shortcut_of_the_weaker_profile_is_refused"),
    (
        "ensure-authorization-code-is-bound-to-client",
        "a_code_is_for_its_client_its_address_its_verifier_and_its_minute",
    ),
    (
        "attempt-reuse-authorization-code-after-one-second",
        "of_two_exchanges_of_one_code_one_wins_and_a_replay_revokes",
    ),
    ("ensure-client-assertion-in-token-endpoint", "every_shortcut_of_the_weaker_profile_is_refused"),
    ("ensure-invalid-client-assertions-fail", "every_forged_or_borrowed_assertion_is_refused"),
    ("ensure-mismatched-dpop-jkt-fails", "a_key_that_is_named_is_the_key_that_is_proved"),
    ("refresh-token", "the_strict_profile_keeps_its_refresh_token_and_binds_it_to_the_client"),
    ("par-ensure-pkce-required", "every_shortcut_of_the_weaker_profile_is_refused"),
    (
        "par-without-duplicate-parameters",
        "a_strict_portal_signs_a_citizen_in_with_pushed_request_key_and_bound_tokens",
    ),
    (
        "ensure-different-nonce-inside-and-outside-request-object",
        "what_stands_beside_a_pushed_request_is_not_heard",
    ),
    (
        "ensure-different-state-inside-and-outside-request-object",
        "what_stands_beside_a_pushed_request_is_not_heard",
    ),
    ("state-only-outside-request-object-not-used", "what_stands_beside_a_pushed_request_is_not_heard"),
    (
        "ensure-request-object-without-redirect-uri-fails",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
        "a_pushed_request_may_be_opened_again_until_somebody_is_answered",
    ),
    (
        "par-attempt-reuse-request_uri",
        "a_strict_portal_signs_a_citizen_in_with_pushed_request_key_and_bound_tokens",
    ),
    (
        "par-attempt-to-use-expired-request_uri",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "par-attempt-to-use-request_uri-for-different-client",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "par-authorization-request-containing-request_uri-form-param",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    ("par-attempt-invalid-http-method", "what_stands_beside_a_pushed_request_is_not_heard"),
    (
        "ensure-pkce-code-verifier-required",
        "a_code_is_for_its_client_its_address_its_verifier_and_its_minute",
    ),
    (
        "incorrect-pkce-code-verifier-rejected",
        "a_code_is_for_its_client_its_address_its_verifier_and_its_minute",
    ),
    ("par-plain-pkce-rejected", "every_shortcut_of_the_weaker_profile_is_refused"),
    ("user-rejects-authentication", "a_pushed_request_may_be_opened_again_until_somebody_is_answered"),
    ("ensure-authorization-request-with-64-char-nonce-success", "long_words_come_back_whole"),
    ("test-claims-parameter-identity-claims", "a_claim_is_asked_for_by_name"),
    ("check-dpop-proof-nbf-exp", "a_key_that_is_named_is_the_key_that_is_proved"),
    ("ensure-dpopproof-with-iat-10seconds-before-succeeds", "a_key_that_is_named_is_the_key_that_is_proved"),
    ("ensure-dpopproof-with-iat-10seconds-after-succeeds", "a_key_that_is_named_is_the_key_that_is_proved"),
    (
        "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt",
        "a_bound_token_is_worth_nothing_in_other_hands",
    ),
    ("ensure-token-endpoint-fails-with-mismatched-dpop-jkt", "a_bound_token_is_worth_nothing_in_other_hands"),
    ("ensure-dpopproof-at-par-endpoint-binding-success", "a_bound_token_is_worth_nothing_in_other_hands"),
    ("ensure-dpop-auth-code-binding-success", "a_key_that_is_named_is_the_key_that_is_proved"),
    ("ensure-authorization-request-with-long-nonce", "long_words_come_back_whole"),
    ("ensure-authorization-request-with-long-state", "long_words_come_back_whole"),
    (
        "ensure-registered-redirect-uri",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "plain-fapi-tolerate-unregistered-redirect-uri",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "ensure-unsigned-authorization-request-without-using-par-fails",
        "every_shortcut_of_the_weaker_profile_is_refused",
    ),
    (
        "ensure-redirect-uri-in-authorization-request",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "ensure-response-type-code-idtoken-fails",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "ensure-response-type-token-fails",
        "a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only",
    ),
    (
        "ensure-token-endpoint-fails-with-expired-auth-code",
        "a_code_is_for_its_client_its_address_its_verifier_and_its_minute",
    ),
    ("ensure-signed-client-assertion-with-RS256-fails", "no_symmetric_key_is_taken"),
    ("ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", "an_assertion_proves_its_portal_once"),
    ("ensure-client-assertion-with-wrong-aud-fails", "every_forged_or_borrowed_assertion_is_refused"),
    ("ensure-client-assertion-with-no-sub-fails", "every_forged_or_borrowed_assertion_is_refused"),
    ("dpop-negative-tests", "a_bound_token_is_worth_nothing_in_other_hands"),
    (
        "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
        "a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right",
    ),
    (
        "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
        "a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right",
    ),
    (
        "par-test-array-as-audience-fails",
        "a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right",
    ),
    (
        "par-test-par-endpoint-url-as-audience-fails",
        "a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right",
    ),
    (
        "par-test-token-endpoint-url-as-audience-fails",
        "a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right",
    ),
    (
        "grant-management-* (8 modules)",
        "- the plan's variant without grant management: citizens take consents back themselves, at /me/sharing",
    ),
];

/// Every source in which a test may stand.
pub fn sources() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    let mut open =
        vec![format!("{root}/tests/api").into(), std::path::PathBuf::from(format!("{root}/src/identity"))];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_module_of_the_plans_has_a_test_of_ours_or_a_reason() {
    let sources = sources();
    for (module, test) in BASIC.iter().chain(LOGOUT).chain(BACK_CHANNEL).chain(FAPI2) {
        match test.strip_prefix("- ") {
            Some(reason) => assert!(!reason.is_empty(), "{module}"),
            None => assert!(sources.contains(&format!("fn {test}(")), "{module}: no test {test}"),
        }
    }
}
