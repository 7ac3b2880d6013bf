//! The component's words, in the languages it speaks, and the host's words over them.
//!
//! A host's label is text: it must never be drawn as markup.

use shared::component::Props;

/// Longest word of a host that is drawn: a label is a phrase, not a page.
const MAX_HOST_LABEL_CHARS: usize = 200;

/// Languages, in the order of the columns below. Each costs half a kilobyte of the page's 65;
/// a host brings any other with `labels`.
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

macro_rules! labels {
    ($($(#[$meta:meta])* $variant:ident $key:literal: $($words:literal),+;)*) => {
        /// One phrase of the component.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Label {
            $($(#[$meta])* $variant,)*
        }

        impl Label {
            /// Every phrase, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name by which a host's `labels` replace it.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            const fn words(self) -> &'static [&'static str; LANGUAGES.len()] {
                match self { $(Self::$variant => &[$($words),+],)* }
            }
        }
    };
}

labels! {
    /// Button that starts a login.
    Login "login":
        "Sign in", "Anmelden", "Se connecter", "Iniciar sesión";
    /// Button that ends one.
    Logout "logout":
        "Sign out", "Abmelden", "Se déconnecter", "Cerrar sesión";
    /// Button that gives up waiting.
    Cancel "cancel":
        "Cancel", "Abbrechen", "Annuler", "Cancelar";
    /// Button that tries again.
    Retry "retry":
        "Try again", "Erneut versuchen", "Réessayer", "Reintentar";
    /// Button that opens the window that the browser blocked.
    Open "open":
        "Open sign-in", "Anmeldung öffnen", "Ouvrir la connexion", "Abrir el inicio de sesión";
    /// Button that opens the window once more.
    Reopen "reopen":
        "Open again", "Erneut öffnen", "Rouvrir", "Abrir de nuevo";
    /// Heading of the card; `{app}` is the host's name.
    Title "title":
        "Sign in to {app}", "Bei {app} anmelden", "Se connecter à {app}", "Iniciar sesión en {app}";
    /// Before the first answer.
    Loading "loading":
        "Checking…", "Wird geprüft …", "Vérification…", "Comprobando…";
    /// Nobody is signed in.
    SignedOut "signed_out":
        "Not signed in", "Nicht angemeldet", "Non connecté", "Sin sesión iniciada";
    /// A login is under way.
    Waiting "waiting":
        "Continue in the sign-in window", "Weiter im Anmeldefenster", "Continuez dans la fenêtre de connexion", "Continúe en la ventana de inicio de sesión";
    /// The window did not open.
    Blocked "blocked":
        "Your browser blocked the sign-in window", "Ihr Browser hat das Anmeldefenster blockiert", "Votre navigateur a bloqué la fenêtre de connexion", "Su navegador bloqueó la ventana de inicio de sesión";
    /// Somebody is; `{time}` is the end of the session.
    SignedIn "signed_in":
        "Signed in until {time}", "Angemeldet bis {time}", "Connecté jusqu’à {time}", "Sesión iniciada hasta {time}";
    /// The logout is under way.
    SigningOut "signing_out":
        "Signing out…", "Wird abgemeldet …", "Déconnexion…", "Cerrando sesión…";
    /// The login's result lapsed.
    ClickAgain "click_again":
        "That took too long. Sign in again to finish.", "Das hat zu lange gedauert. Bitte erneut anmelden.", "Délai dépassé. Reconnectez-vous pour terminer.", "Tardó demasiado. Inicie sesión de nuevo para terminar.";
    /// The session ended by itself.
    SessionEnded "session_ended":
        "Your session has ended", "Ihre Sitzung ist beendet", "Votre session est terminée", "Su sesión ha terminado";
    /// The provider's own session lives on.
    FinishAtProvider "finish_at_provider":
        "Still signed in at the provider.", "Beim Anbieter noch angemeldet.", "Toujours connecté chez le fournisseur.", "La sesión del proveedor sigue abierta.";
    /// Link to end that too.
    FinishLogout "finish_logout":
        "Sign out there too", "Dort auch abmelden", "S’y déconnecter aussi", "Cerrarla también";
    /// The logout did not work.
    LogoutFailed "logout_failed":
        "Signing out failed. Please try again.", "Abmelden fehlgeschlagen. Bitte erneut versuchen.", "Échec de la déconnexion. Veuillez réessayer.", "No se pudo cerrar la sesión. Inténtelo de nuevo.";
    /// The companion cannot be reached.
    Unreachable "unreachable":
        "The sign-in service cannot be reached", "Der Anmeldedienst ist nicht erreichbar", "Le service de connexion est injoignable", "No se puede contactar con el servicio de acceso";
    /// The companion does not answer.
    Silent "silent":
        "The sign-in service does not answer", "Der Anmeldedienst antwortet nicht", "Le service de connexion ne répond pas", "El servicio de acceso no responde";
    /// The provider or the person refused.
    LoginRefused "login_refused":
        "The sign-in was refused", "Die Anmeldung wurde abgelehnt", "La connexion a été refusée", "El inicio de sesión fue rechazado";
    /// This page may not use the companion.
    HostRefused "host_refused":
        "The sign-in service does not know this app’s address", "Der Anmeldedienst kennt die Adresse dieser App nicht", "Le service de connexion ne connaît pas l’adresse de cette application", "El servicio de acceso no conoce la dirección de esta aplicación";
    /// Opened outside an app.
    NotEmbedded "not_embedded":
        "This page works inside a Streamlit app only", "Diese Seite funktioniert nur in einer Streamlit-App", "Cette page ne fonctionne que dans une application Streamlit", "Esta página solo funciona dentro de una aplicación Streamlit";
    /// Any other refusal.
    Refused "refused":
        "The sign-in service refused the request", "Der Anmeldedienst hat die Anfrage abgelehnt", "Le service de connexion a refusé la demande", "El servicio de acceso rechazó la solicitud";
}

/// The phrases of one frame: a language, and the host's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    column: usize,
    host: Props,
}

impl Labels {
    /// `locale` is a BCP 47 tag; an unknown language speaks English.
    #[must_use]
    pub fn new(locale: &str, host: &Props) -> Self {
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        let column = LANGUAGES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(language))
            .unwrap_or(0);
        Self {
            column,
            host: host.clone(),
        }
    }

    /// The language in which the built-in phrases are, for the page's `lang`.
    #[must_use]
    pub fn language(&self) -> &'static str {
        LANGUAGES[self.column]
    }

    /// The phrase.
    #[must_use]
    pub fn text(&self, label: Label) -> String {
        match self.host.find(label.key()) {
            Some(words) if !words.trim().is_empty() => {
                words.chars().take(MAX_HOST_LABEL_CHARS).collect()
            }
            _ => label.words()[self.column].to_owned(),
        }
    }

    /// The phrase with its one placeholder, `{…}`, replaced.
    #[must_use]
    pub fn fill(&self, label: Label, value: &str) -> String {
        let mut phrase = self.text(label);
        if let (Some(start), Some(end)) = (phrase.find('{'), phrase.find('}'))
            && start < end
        {
            phrase.replace_range(start..=end, value);
        }
        phrase
    }
}

/// One or two letters that stand for a person without a picture. The style sheet writes
/// them in capitals: Unicode's tables of letters would be a tenth of the program.
#[must_use]
pub fn initials(name: &str) -> String {
    let letter = |word: &str| word.chars().find(|c| !c.is_ascii_punctuation());
    let mut words = name.split(char::is_whitespace).filter_map(letter);
    let first = words.next();
    words.next_back().map_or_else(
        || first.into_iter().collect(),
        |last| first.into_iter().chain([last]).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_its_own_words_and_keeps_the_placeholders() {
        for label in Label::ALL {
            let words = label.words();
            for (language, phrase) in LANGUAGES.iter().zip(words) {
                assert!(!phrase.is_empty(), "{} in {language}", label.key());
                for placeholder in ["{app}", "{time}"] {
                    assert_eq!(
                        phrase.contains(placeholder),
                        words[0].contains(placeholder),
                        "{} in {language}",
                        label.key()
                    );
                }
            }
        }
    }

    #[test]
    fn the_region_of_a_locale_does_not_matter_and_an_unknown_language_speaks_english() {
        let none = Props::default();
        assert_eq!(Labels::new("de-AT", &none).text(Label::Login), "Anmelden");
        assert_eq!(
            Labels::new("FR_ca", &none).text(Label::Login),
            "Se connecter"
        );
        assert_eq!(Labels::new("tlh", &none).text(Label::Login), "Sign in");
        assert_eq!(Labels::new("", &none).language(), "en");
    }

    #[test]
    fn the_hosts_words_go_over_the_built_in_ones_unless_empty() {
        let host = Props(vec![
            ("login".to_owned(), "Log in with ACME".to_owned()),
            ("logout".to_owned(), " ".to_owned()),
            ("cancel".to_owned(), "x".repeat(5_000)),
        ]);
        let labels = Labels::new("en", &host);
        assert_eq!(labels.text(Label::Login), "Log in with ACME");
        assert_eq!(labels.text(Label::Logout), "Sign out");
        assert_eq!(labels.text(Label::Cancel).len(), MAX_HOST_LABEL_CHARS);
    }

    #[test]
    fn placeholders_are_filled_and_a_host_may_leave_them_out() {
        for odd in ["Signed in", "}{", "{", "on {time} and }"] {
            let host = Props(vec![("signed_in".to_owned(), odd.to_owned())]);
            let _ = Labels::new("en", &host).fill(Label::SignedIn, "14:05");
        }
        let labels = Labels::new("en", &Props::default());
        assert_eq!(
            labels.fill(Label::SignedIn, "14:05"),
            "Signed in until 14:05"
        );
    }

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, expected) in [
            ("Ada Lovelace", "AL"),
            ("ada", "a"),
            ("Gabriel José García Márquez", "GM"),
            ("ada@example.test", "a"),
            ("  ", ""),
            ("(bot) β", "bβ"),
            ("李 小龙", "李小"),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
