# Sign-in, code, consent and sign-out.
sign-in-title = Sign in
sign-in-for-portal = { $portal } asks you to sign in to: { $purpose }.
sign-in-for-page = You are signing in to a staff page.
sign-in-number = Personal identification number
sign-in-number-hint = 12 digits, printed on your identity card
sign-in-number-wrong = The number has exactly 12 digits. Please check your card.
sign-in-send-code = Send me a code
sign-in-how = We send a 6-digit code to the phone number that the population register holds for you. No password is needed.
sign-in-turn-back = Go back without signing in
sign-in-limited = Too many codes were asked for. Please try again after { $until }, or visit a one-stop counter.

sign-in-code-title = Enter the code
sign-in-code-sent = If the number is on the register and the identity is not locked, a 6-digit code was sent to the registered phone. It can be used for 5 minutes.
sign-in-code = 6-digit code
sign-in-code-hint = We never phone to ask for it
sign-in-code-shape = The code has exactly 6 digits.
sign-in-code-wrong = The code is not right. Tries left: { $tries }.
sign-in-code-spent = This code can no longer be used. Please press "Send another code".
sign-in-code-confirm = Confirm
sign-in-code-again = Send another code
sign-in-code-too-soon = The last code was only just sent. You can ask for another from { $from }.
sign-in-code-used-up = This sign-in has used up its codes. Please start again from the portal.
sign-in-code-resent = Another code was sent. The one before can no longer be used.
sign-in-code-none-heading = No code?
sign-in-code-none = The registered phone number may have changed, or the identity may be locked. Please bring your identity card to the local police or a one-stop counter, or call 1022.
sign-in-other-number = Use another number

sign-in-app = Use the code of my app
sign-in-app-title = Enter the code of your app
sign-in-app-lead = Open the authenticator app that you added on the page "Ways to sign in" and type the 6-digit code it shows. Each code works once.
sign-in-app-none = If you have added no app or lost the device, please use another way, or bring your identity card to a one-stop counter.
sign-in-stronger = Whoever asks you to sign in needs more than a code by SMS: the code of an app, or a passkey.
sign-in-guesses = Too many wrong codes came. This way opens again at { $until }; the others still work.
sign-in-passkey-heading = Have a passkey?
sign-in-passkey-hint = A finger, a face or the PIN of the device that you enrolled. No number is needed.
sign-in-passkey-title = Sign in with a passkey
sign-in-passkey-lead = The browser will ask for a finger, a face or the device's PIN. None of that leaves the device.
sign-in-passkey-go = Use a passkey
sign-in-passkey-without = This browser does not run the part that asks for a passkey. Please use another way below.
sign-in-passkey-other = Use another way
sign-in-passkey-failed = No passkey was used. Please try again or use another way.
sign-in-passkey-refused = This passkey does not work here, or was removed. Please try another or use another way.
sign-in-unfit-title = This way is not enough
sign-in-unfit = Whoever asks you to sign in needs a higher level. A passkey or app that was added with a code by SMS reaches it after 72 hours, or at once when an officer at a one-stop counter has checked your identity card.

sign-in-capped = This agency has used up its SMS of the month. Please use a passkey or the code of an app, or visit a one-stop counter.

sign-in-sms = { $code } is the code of { $person } to sign in at { $portal }. Valid for 5 minutes. Never give it to anybody, not even officials.
sign-in-sms-page = Chung

consent-title = { $portal } will receive the following
consent-title-nothing = Back to { $portal }
consent-lead = To { $purpose }. Exactly the items below, for this sign-in.
consent-nothing = { $portal } only learns that you signed in. No personal information is sent.
consent-by-law = Required by law
consent-by-law-note = The portal receives these items under the law cited below each, without asking for your consent. If you do not want that, you may choose not to continue.
consent-basis = Basis: { $basis }
consent-choices = Your choice
consent-choices-note = You can continue without choosing any.
consent-value-missing = not on the register
consent-agree = Agree and continue
consent-go-on = Continue
consent-refuse = Do not continue
consent-refuse-note = If you do not continue, nothing is sent; you can file your dossier in person at a one-stop counter.
consent-who = Signed in: { $person }.
consent-another = This is not me

claim-name = Full name
claim-birthdate = Birth date
claim-gender = Sex
claim-personal_number = Personal identification number
claim-old_number = Former 9-digit number
claim-phone_number = Phone number
claim-address = Province or city of residence
claim-account_level = Level of the electronic identity account
claim-gender-male = Male
claim-gender-female = Female

sign-out-title = Sign out
sign-out-question = Do you want to sign out of this browser?
sign-out-confirm = Sign out
sign-out-done-title = Signed out
sign-out-done = You have signed out of Chung in this browser. On a shared computer, please close the browser too.

sign-in-misaddressed-title = The sign-in page cannot be opened
sign-in-unknown-client = This link comes from a portal that we do not know. Please start again from the official page of the public service portal.
sign-in-unknown-redirect = The return address in this link is not registered for the portal, so we are not sending you anywhere. Please start again from the portal's official page.
sign-in-over-title = This sign-in is over
sign-in-over = A sign-in link works once, for 15 minutes, in the browser that opened it. Please go back to the portal and sign in again.
sign-in-barred-title = You cannot sign in
sign-in-barred = This electronic identity cannot be used to sign in at present. Please bring your identity card to the local police, or call 1022.
