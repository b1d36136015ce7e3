//! Who is this citizen: the register and the questions about people in it.

mod asking;
mod batches;
pub mod cards;
mod import;
mod kinship;
mod remote;
mod verifications;

use crate::world::TestApp;
use chung::flow::import_population::{Listener, Progress, Stopped, import_population};
use chung::flow::population_file::Reject;
use std::io::Cursor;

/// The header of every file here.
const HEADER: &str =
    "number,old_number,name,birth_date,sex,phone,province,status,died_on,account_level,standings\n";

/// A few people.
pub const PEOPLE: &str = "\
079185000001,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345678,79,active,,2,student
001150000002,,Trần Văn Khỏe,1950,male,,01,deceased,2024-05-01,,merit
046199000003,,H'Hen Niê,1999-07-01,female,0912345679,66,locked,,1,
079085000004,,Đỗ Văn Được,1985-12-31,male,0912345680,79,active,,,poor_household
";

/// What an import told while it ran.
#[derive(Default)]
pub struct Told {
    /// The lines left out.
    pub rejects: Vec<Reject>,
    /// How often progress was told.
    pub chunks: usize,
}

impl Listener for Told {
    fn rejected(&mut self, reject: &Reject) -> std::io::Result<()> {
        self.rejects.push(reject.clone());
        Ok(())
    }

    fn progressed(&mut self, _: &Progress) {
        self.chunks += 1;
    }
}

/// Imports these lines under the usual header.
pub async fn import(world: &TestApp, lines: &str) -> Result<(Progress, Told), Stopped> {
    import_under(world, HEADER, lines).await
}

/// Imports these lines under a header of their own.
pub async fn import_under(world: &TestApp, header: &str, lines: &str) -> Result<(Progress, Told), Stopped> {
    import_of(world, &format!("{header}{lines}"), None).await
}

/// Imports a whole file of that day.
pub async fn import_of(world: &TestApp, file: &str, day: Option<&str>) -> Result<(Progress, Told), Stopped> {
    let mut told = Told::default();
    let (file, day) = (Cursor::new(file.to_owned()), day.map(|day| day.parse().unwrap()));
    let progress = import_population(&world.app, file, day, &mut told).await?;
    Ok((progress, told))
}
