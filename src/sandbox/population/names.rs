//! The name tables behind the synthetic population, with the customs that decide how a name is put together.

use super::Chance;

/// How a family forms its names.
#[derive(Clone, Copy)]
pub(super) enum Custom {
    /// Surname, middle names, given name: Kinh, Tày, Nùng, Mường, Thái.
    Kinh,
    /// Clan, `A` or `Thị`, given name: Hmông.
    Hmong,
    /// Surname and one or two syllables: Khmer.
    Khmer,
    /// `Y` or `H'` and the given name first, the clan last: Êđê, Gia Rai; or one word alone: K'Ho.
    Highland,
}

/// The family's custom and the word that its children inherit, as usual in that province.
pub(super) fn family(chance: &mut Chance, province: &str) -> (Custom, &'static str) {
    match province {
        "66" | "52" | "68" if chance.percent(25) => (Custom::Highland, chance.pick(&HIGHLAND_CLANS)),
        "08" | "11" | "12" | "15" if chance.percent(30) => (Custom::Hmong, chance.pick(&HMONG_CLANS)),
        "86" | "91" | "92" | "96" if chance.percent(12) => (Custom::Khmer, chance.pick(&KHMER_SURNAMES)),
        "04" | "12" | "14" | "19" | "20" | "25" if chance.percent(40) => {
            (Custom::Kinh, chance.pick(&NORTHERN_SURNAMES))
        }
        _ => (Custom::Kinh, chance.weighted(&SURNAMES)),
    }
}

/// A person's full name.
pub(super) fn person(chance: &mut Chance, custom: Custom, inherited: &str, female: bool) -> String {
    match custom {
        Custom::Kinh => kinh(chance, inherited, female),
        Custom::Hmong => {
            let (middle, given) =
                if female { ("Thị", chance.pick(&HMONG_WOMEN)) } else { ("A", chance.pick(&HMONG_MEN)) };
            format!("{inherited} {middle} {given}")
        }
        Custom::Khmer => {
            let (one, two) = (chance.pick(&KHMER_SYLLABLES), chance.pick(&KHMER_SYLLABLES));
            if female && chance.percent(50) {
                format!("{inherited} Thị {one} {two}")
            } else {
                format!("{inherited} {one} {two}")
            }
        }
        Custom::Highland => {
            let given = chance.pick(&HIGHLAND_GIVEN);
            match (chance.percent(8), female) {
                (true, _) => format!("K'{given}"),
                (false, true) => format!("H'{given} {inherited}"),
                (false, false) => format!("Y {given} {inherited}"),
            }
        }
    }
}

fn kinh(chance: &mut Chance, surname: &str, female: bool) -> String {
    let (middles, givens): (&[&str], &[&str]) =
        if female { (&WOMENS_MIDDLES, &WOMENS_NAMES) } else { (&MENS_MIDDLES, &MENS_NAMES) };
    let given = chance.pick(givens);
    match chance.below(20) {
        0 => format!("{surname} {given}"),
        1..=6 if female => format!("{surname} Thị {given}"),
        1..=5 => format!("{surname} Văn {given}"),
        7..=9 => {
            let first = if female { "Thị" } else { "Hữu" };
            format!("{surname} {first} {} {given}", chance.pick(middles))
        }
        _ => format!("{surname} {} {given}", chance.pick(middles)),
    }
}

/// Surnames and how many of a thousand people carry them.
const SURNAMES: [(&str, u32); 32] = [
    ("Nguyễn", 384),
    ("Trần", 121),
    ("Lê", 95),
    ("Phạm", 70),
    ("Hoàng", 35),
    ("Huỳnh", 32),
    ("Phan", 45),
    ("Vũ", 25),
    ("Võ", 24),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 7),
    ("Đào", 6),
    ("Đinh", 6),
    ("Trịnh", 5),
    ("Trương", 8),
    ("Lâm", 5),
    ("Đoàn", 5),
    ("Phùng", 4),
    ("Mai", 4),
    ("Tô", 3),
    ("Tạ", 3),
    ("Cao", 4),
    ("Châu", 3),
    ("Thái", 3),
    ("Quách", 2),
    ("Âu Dương", 1),
    ("Tôn Nữ", 1),
];

const NORTHERN_SURNAMES: [&str; 14] =
    ["Nông", "Hoàng", "Bế", "Triệu", "Lò", "Quàng", "Cầm", "Vi", "Hà", "Quách", "Lường", "Ma", "Chu", "Đàm"];

const MENS_MIDDLES: [&str; 22] = [
    "Hữu", "Đức", "Công", "Quang", "Minh", "Quốc", "Xuân", "Đình", "Thanh", "Ngọc", "Gia", "Bảo", "Tuấn",
    "Anh", "Hoàng", "Trọng", "Viết", "Bá", "Duy", "Nhật", "Thành", "Phúc",
];

const WOMENS_MIDDLES: [&str; 20] = [
    "Ngọc", "Thu", "Thanh", "Mỹ", "Kim", "Thùy", "Khánh", "Bảo", "Hồng", "Phương", "Minh", "Thúy", "Ánh",
    "Diễm", "Tuyết", "Bích", "Như", "Quỳnh", "Lan", "Hoài",
];

const MENS_NAMES: [&str; 48] = [
    "An", "Anh", "Bình", "Cường", "Dũng", "Duy", "Đạt", "Đức", "Giang", "Hà", "Hải", "Hào", "Hiếu", "Hòa",
    "Hoàng", "Hùng", "Huy", "Hưng", "Khánh", "Khoa", "Khôi", "Kiên", "Lâm", "Long", "Lộc", "Mạnh", "Minh",
    "Nam", "Nghĩa", "Nhân", "Phong", "Phúc", "Phước", "Quân", "Quang", "Quý", "Sơn", "Tài", "Tâm", "Thái",
    "Thắng", "Thịnh", "Tiến", "Toàn", "Trung", "Tú", "Tuấn", "Vinh",
];

const WOMENS_NAMES: [&str; 48] = [
    "An",
    "Anh",
    "Ánh",
    "Bích",
    "Châu",
    "Chi",
    "Diệp",
    "Dung",
    "Duyên",
    "Giang",
    "Hà",
    "Hạnh",
    "Hằng",
    "Hiền",
    "Hoa",
    "Hòa",
    "Hoài",
    "Hồng",
    "Huệ",
    "Huyền",
    "Hương",
    "Khuê",
    "Lan",
    "Linh",
    "Loan",
    "Ly",
    "Mai",
    "My",
    "Nga",
    "Ngân",
    "Ngọc",
    "Nguyệt",
    "Nhung",
    "Oanh",
    "Phương",
    "Phượng",
    "Quyên",
    "Quỳnh",
    "Thảo",
    "Thu",
    "Thủy",
    "Thúy",
    "Trang",
    "Trâm",
    "Tuyết",
    "Uyên",
    "Vân",
    "Yến",
];

const HMONG_CLANS: [&str; 9] = ["Giàng", "Vàng", "Thào", "Sùng", "Lầu", "Mùa", "Hạng", "Lý", "Cứ"];
const HMONG_MEN: [&str; 10] = ["Páo", "Chứ", "Dế", "Lử", "Sính", "Tủa", "Vừ", "Chống", "Phình", "Sáng"];
const HMONG_WOMEN: [&str; 10] = ["Mỷ", "Dợ", "Sua", "Pà", "Chở", "Mẩy", "Xúa", "Dua", "Ly", "Ganh"];

const KHMER_SURNAMES: [&str; 7] = ["Thạch", "Sơn", "Danh", "Kim", "Châu", "Kiên", "Lâm"];
const KHMER_SYLLABLES: [&str; 14] =
    ["Sa", "Rây", "Sô", "Phia", "Phol", "Rinh", "Thi", "Đa", "Ra", "Chanh", "Sinh", "Hên", "Ngọc", "Lụa"];

const HIGHLAND_CLANS: [&str; 9] = ["Niê", "Êban", "Byă", "Mlô", "Kbuôr", "Ksor", "Rcom", "Siu", "Ayun"];
const HIGHLAND_GIVEN: [&str; 14] =
    ["Blôm", "Hen", "Lan", "Đức", "Brêu", "Thim", "Wôn", "Nuôr", "Yam", "Krông", "Mai", "Sim", "Ngõ", "Bhô"];
