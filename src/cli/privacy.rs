//! `chung privacy`: what is kept of each class of data and for how long; the job that keeps to it, run by hand; and how
//! far the rotation of the master key is.

use super::{environment, out};
use crate::config::Config;
use crate::flow::{retention, rotate_keys::rotate_keys};
use crate::store::key_rotation;
use anyhow::bail;
use indicatif::ProgressBar;

/// What to do about data that is kept
#[derive(Debug, clap::Subcommand)]
pub enum Privacy {
    /// Show each class of data: how long it is kept and why, how much there is, how much is over; and the master keys
    Report,
    /// Remove what is over now, instead of waiting for the service's hourly round
    Retain,
    /// Wrap every data key by the newest master key (`chung keys rotate --purpose master` adds one); may be stopped and started again
    Rotate,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Privacy) -> anyhow::Result<()> {
    let opened = environment::Opened::new(config).await?;
    let done = act(config, &opened, command).await;
    opened.close().await;
    done
}

async fn act(config: &Config, opened: &environment::Opened, command: &Privacy) -> anyhow::Result<()> {
    let app = environment::office(config, opened.store.clone())?;
    match command {
        Privacy::Report => {
            let report = retention::report_retention(&app).await.map_err(|e| environment::refused(&e))?;
            out::line(&format!("{report:#}"));
        }
        Privacy::Retain => {
            let mut removed = 0;
            loop {
                let gone = retention::retain(&app).await.map_err(|e| environment::refused(&e))?;
                removed += gone;
                if gone == 0 {
                    break;
                }
            }
            out::line(&format!("{removed} rows removed"));
        }
        Privacy::Rotate => {
            let stale: i64 = key_rotation::by_generation(&app.store)
                .await?
                .into_iter()
                .filter(|(generation, _)| *generation != app.keys.generation())
                .map(|(_, keys)| keys)
                .sum();
            let bar = ProgressBar::new(stale.unsigned_abs());
            loop {
                let rewrapped = rotate_keys(&app).await.map_err(|e| environment::refused(&e))?;
                bar.inc(rewrapped);
                if rewrapped == 0 {
                    break;
                }
            }
            bar.finish_and_clear();
            let left = key_rotation::by_generation(&app.store).await?;
            if left.iter().any(|(generation, _)| *generation != app.keys.generation()) {
                bail!("some data keys are held by somebody else at the moment; run it again");
            }
            out::line(&format!("every data key is wrapped by master key {}", app.keys.generation()));
        }
    }
    Ok(())
}
