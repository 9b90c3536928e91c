//! What cameras see.

/// These phrases.
pub struct Video {
    pub cameras: &'static str,
    pub waiting: &'static str,
    pub gone: fn(&str) -> String,
    pub unreachable: &'static str,
    pub unplayable: fn(&str) -> String,
    pub lag: &'static str,
    pub behind: fn(i64) -> String,
    pub missed: fn(u64) -> String,
    pub snapshot: &'static str,
    pub save: &'static str,
    pub saving: &'static str,
    pub not_saved: &'static str,
    pub enlarge: &'static str,
    pub wall_full: fn(usize) -> String,
    pub choose: &'static str,
    pub show: &'static str,
    pub photo: &'static str,
    pub keep: &'static str,
}

pub(super) static EN: Video = Video {
    cameras: "Cameras",
    waiting: "The vehicle was asked for its picture…",
    gone: |why| format!("No picture: {why}"),
    unreachable: "The server cannot be reached. It is tried again.",
    unplayable: |codec| format!("This browser does not play {codec}. Photos and clips can be downloaded."),
    lag: "From the camera to your screen, by the vehicle's clock",
    behind: |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    missed: |pictures| {
        if pictures == 1 { "1 picture left out".to_owned() } else { format!("{pictures} pictures left out") }
    },
    snapshot: "Save this picture",
    save: "Save the last 30 s",
    saving: "The vehicle saves the film; it will be under Media",
    not_saved: "The vehicle could not be told",
    enlarge: "Full screen",
    wall_full: |most| format!("{most} at a time: take one off first"),
    choose: "What to watch",
    show: "Show",
    photo: "Photo from the vehicle",
    keep: "Download",
};

pub(super) static FR: Video = Video {
    cameras: "Caméras",
    waiting: "L'image a été demandée au véhicule…",
    gone: |why| format!("Pas d'image : {why}"),
    unreachable: "Le serveur est injoignable. Nouvel essai en cours.",
    unplayable: |codec| format!("Ce navigateur ne lit pas {codec}. Photos et films peuvent être téléchargés."),
    lag: "De la caméra à votre écran, selon l'horloge du véhicule",
    behind: |ms| format!("{},{} s", ms / 1000, ms % 1000 / 100),
    missed: |pictures| {
        if pictures == 1 { "1 image omise".to_owned() } else { format!("{pictures} images omises") }
    },
    snapshot: "Enregistrer cette image",
    save: "Garder les 30 dernières s",
    saving: "Le véhicule enregistre le film ; il sera sous Médias",
    not_saved: "Le véhicule n'a pas pu être averti",
    enlarge: "Plein écran",
    wall_full: |most| format!("{most} à la fois : retirez-en une d'abord"),
    choose: "Que regarder",
    show: "Afficher",
    photo: "Photo prise dans le véhicule",
    keep: "Télécharger",
};
