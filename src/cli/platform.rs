//! `chung platform`: agency systems that speak the national payment platform's protocol.

use super::{
    environment::{self, Opened, refused},
    out,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Client, Id},
    text::Line,
};
use crate::config::Config;
use crate::flow::{
    national::join,
    platform::{register_partner, tolerate},
};
use crate::store::{agency, platform as rows};
use anyhow::Context;
use std::path::PathBuf;

/// What to do with partners of the payment platform's protocol
#[derive(Debug, clap::Subcommand)]
pub enum Platform {
    /// Let an agency's system speak the protocol, or give it another secret and address
    Register {
        /// The partner's code (MaDoiTac)
        code: String,
        /// The agency's code
        #[arg(long)]
        agency: String,
        /// The agency system in whose name its bills are issued
        #[arg(long)]
        client: String,
        /// A file with the shared secret
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
        /// Where CONFIRM goes
        #[arg(long, value_name = "URL")]
        confirm: url::Url,
    },
    /// Take a known harmless deviation of one partner until a day
    ///
    /// twelve_hour_time: times written with twelve hours. placeholder_payer_id: 000000000 as the payer's number. Of
    /// checksum, amount and beneficiary account there are no deviations.
    Tolerate {
        /// The partner's code
        code: String,
        /// twelve_hour_time or placeholder_payer_id
        deviation: String,
        /// Its last day
        #[arg(long)]
        until: Day,
    },
    /// List what is tolerated of a partner, until when, and how often it was seen
    Tolerances {
        /// The partner's code
        code: String,
    },
    /// Join the national payment platform, or change how it is reached: payers may choose it from then on
    Join {
        /// Where it takes INIT, QUERY and GET_BILL
        url: url::Url,
        /// Our code there (MaDoiTac)
        #[arg(long)]
        code: String,
        /// A file with the shared secret
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
    },
    /// Print what a system must change besides the address when it switches to Chung
    Guide,
}

/// What a system must change besides the address.
const GUIDE: &str = "\
Chuyển một hệ thống đang dùng nền tảng thanh toán quốc gia sang Chung (what changes besides the URL)

1. Địa chỉ: INIT, QUERY, GET_BILL gửi tới POST {origin}/payment-platform. Mã đối tác và mã bí mật do Chung cấp.
2. Mã xác thực được kiểm tra cho MỌI bản tin, ở cả hai chiều; hãy kiểm tra mã của mọi câu trả lời và của CONFIRM.
   Câu trả lời: MaLoi|MoTaLoi|MaDoiTac|MaThamChieu|UrlThanhToan|TrangThaiGD|BienLai|ThoiGianGD|bí mật.
3. Thời gian yyyyMMddHHmmss, giờ 24, múi +07:00, lệch không quá 15 phút (Java: HH, không phải hh).
4. SoTien là số nguyên đồng, có thể lớn hơn 2.147.483.647: dùng kiểu 64 bit, không dùng số thực.
5. Tổng PhiLePhi, và tổng DSKhoanNop nếu có, phải bằng SoTien; từng khoản phải đúng biểu phí đang có hiệu lực.
6. TKThuHuong và MaNHThuHuong phải là tài khoản của cơ quan đã đăng ký với Chung.
7. Cùng MaThamChieu là cùng một giao dịch: gửi lại cùng nội dung nhận cùng câu trả lời, nội dung khác bị từ chối (02).
8. CONFIRM được gửi lại đến khi trả MaLoi 00 với đúng MaThamChieu; hãy so SoTien với yêu cầu của mình trước khi nhận.
9. GET_BILL trả biên lai PDF (base64, trường BienLai), lần nào cũng cùng một tệp.
10. Không dùng 000000000 làm số giấy tờ: để trống nếu không biết.
";

/// Runs the command.
pub async fn run(config: &Config, command: &Platform) -> anyhow::Result<()> {
    if let Platform::Guide = command {
        out::line(&GUIDE.replace("{origin}", config.origin.as_str()));
        return Ok(());
    }
    let opened = Opened::new(config).await?;
    let done = match environment::office(config, opened.store.clone()) {
        Ok(app) => act(&app, command).await,
        Err(error) => Err(error),
    };
    opened.close().await;
    done
}

async fn act(app: &App, command: &Platform) -> anyhow::Result<()> {
    match command {
        Platform::Register { code, agency, client, secret, confirm } => {
            let path = secret.display().to_string();
            let secret = std::fs::read_to_string(secret).with_context(|| format!("cannot read {path}"))?;
            let mut tx = app.store.begin().await?;
            let agency = agency::find_by_code(&mut tx, agency).await?.context("no such agency")?.id;
            drop(tx);
            let client: Id<Client> = client.parse().context("the client's identifier")?;
            let code: Line<50> = Line::parse(code).context("the partner's code")?;
            register_partner(app, agency, client, (&code, secret.trim()), confirm.as_str())
                .await
                .map_err(|error| refused(&error))?;
            out::line(&format!("{code} may speak the payment platform's protocol"));
        }
        Platform::Tolerate { code, deviation, until } => {
            tolerate(app, code, deviation, *until).await.map_err(|error| refused(&error))?;
            out::line(&format!("{code}: {deviation} is taken until {until}"));
        }
        Platform::Tolerances { code } => {
            let mut tx = app.store.begin().await?;
            for (deviation, until, seen) in rows::tolerances(&mut tx, code).await? {
                out::line(&format!("{deviation} until {until}, seen {seen} times"));
            }
        }
        Platform::Join { url, code, secret } => {
            let path = secret.display().to_string();
            let secret = std::fs::read_to_string(secret).with_context(|| format!("cannot read {path}"))?;
            join(app, url.as_str(), code, secret.trim()).await.map_err(|error| refused(&error))?;
            out::line(&format!("payers may choose the platform at {url}"));
        }
        Platform::Guide => {}
    }
    Ok(())
}
