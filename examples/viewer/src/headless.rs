//! The scene without a window: measured, and drawn to a PNG.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::device::{Device, Renderer};
use crate::feed::{self, Backend, InMemory, Shown};
use crate::scene::Scene;
use crate::session::Session;
use crate::{Args, Outcome, software, volume};

/// How long a picture waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// Screen frames per measured loop by default.
const FRAMES: u64 = 60;
/// Largest number of texels along a side if there is no device to ask.
const MAX_SIDE: usize = 2048;

pub(crate) fn run(args: &Args) -> Outcome {
    let picture = match args.backend {
        Backend::Cpu => Picture::Software,
        Backend::Auto | Backend::Gpu => match Screen::open(args.size) {
            Ok(screen) => Picture::Device(Box::new(screen)),
            Err(error) if args.backend == Backend::Auto => {
                println!("no graphics adapter: {error}");
                Picture::Software
            }
            Err(error) => return Err(error),
        },
    };
    let start = Instant::now();
    let volume = volume::open(&args.input, picture.max_side())?;
    let feed = match &picture {
        Picture::Software => Box::new(InMemory::new(&volume, picture.why(args))?),
        Picture::Device(screen) => feed::on_device(&volume, &screen.device.gpu, args.backend)?,
    };
    let mut session = Session::new(volume, feed, args, args.size, start)?;
    session.describe();
    until(&mut session, &picture, Session::is_complete)?;
    if let Some(first) = session.first() {
        println!("first frame {:.1} ms after load", milliseconds(first));
    }
    let frames = args.frames.unwrap_or(FRAMES);
    measure(&mut session, &picture, frames, "playing")?;
    session.player.set_playing(false);
    until(&mut session, &picture, |session| !session.player.is_busy())?;
    measure(&mut session, &picture, frames, "paused")?;
    if let Some(path) = &args.png {
        let (fresh, scene) = (
            Scene::new(session.scene.size, session.scene.zooms),
            &mut session.scene,
        );
        (scene.yaw, scene.pitch) = (fresh.yaw, fresh.pitch);
        if session.player.shown() != Some(args.frame) {
            session.player.seek(args.frame);
            until(&mut session, &picture, |session| !session.player.is_busy())?;
        }
        session.turn();
        write_png(path, args.size, &picture.draw(&session)?)?;
    }
    match session.player.error() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Draws until a condition holds.
fn until(session: &mut Session, picture: &Picture, holds: fn(&Session) -> bool) -> Outcome {
    let start = Instant::now();
    while !holds(session) {
        frame(session, picture)?;
        if let Some(error) = session.player.error() {
            return Err(error.into());
        }
        if start.elapsed() > PATIENCE {
            return Err("the frame did not come".into());
        }
    }
    Ok(())
}

/// One screen frame, from polling the stream to the finished picture.
fn frame(session: &mut Session, picture: &Picture) -> Outcome<Duration> {
    let start = Instant::now();
    session.turn();
    picture.finish(session)?;
    let elapsed = start.elapsed();
    session.drawn(elapsed);
    Ok(elapsed)
}

/// Draws this many frames while the camera moves, and prints how long they elapsed.
fn measure(session: &mut Session, picture: &Picture, frames: u64, what: &str) -> Outcome {
    let before = session.player.count();
    let mut times = Vec::new();
    for _ in 0..frames {
        session.scene.yaw += 0.02;
        times.push(frame(session, picture)?);
    }
    times.sort_unstable();
    if let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) {
        let shown = session.player.count() - before;
        let [median, worst] = [*median, *worst].map(milliseconds);
        println!(
            "{what}: {frames} frames, median {median:.1} ms, worst {worst:.1} ms, {shown} shown"
        );
    }
    Ok(())
}

/// What draws the pictures.
enum Picture {
    Software,
    Device(Box<Screen>),
}

impl Picture {
    fn max_side(&self) -> usize {
        match self {
            Self::Software => MAX_SIDE,
            Self::Device(screen) => screen.device.gpu.limits().max_texture_dimension_3d as usize,
        }
    }

    fn why(&self, args: &Args) -> &'static str {
        match args.backend {
            Backend::Cpu => "as asked",
            Backend::Auto | Backend::Gpu => "no graphics adapter",
        }
    }

    /// Draws, and waits until that is done.
    fn finish(&self, session: &Session) -> Outcome {
        match self {
            Self::Software => self.draw(session).map(drop),
            Self::Device(screen) => {
                screen.submit(session);
                let device = &screen.device;
                device.device.poll(wgpu::PollType::wait_indefinitely())?;
                device.check()
            }
        }
    }

    /// Draws, and returns the RGBA pixels.
    fn draw(&self, session: &Session) -> Outcome<Vec<u8>> {
        match self {
            Self::Device(screen) => {
                screen.submit(session);
                screen.download()
            }
            Self::Software => {
                let Shown::Values(values) = session.player.feed.shown() else {
                    return Err("a texture cannot be drawn by the CPU".into());
                };
                let (ink, scene) = (&session.ink, session.uniforms());
                Ok(software::draw(&scene, values, &ink.pixels, ink.size))
            }
        }
    }
}

/// A picture on a device.
struct Screen {
    device: Device,
    renderer: Renderer,
    picture: wgpu::Texture,
    view: wgpu::TextureView,
}

impl Screen {
    fn open([width, height]: [u32; 2]) -> Outcome<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let (device, _) = Device::open(&instance, None)?;
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let picture = device.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        Ok(Self {
            renderer: Renderer::new(&device, format, [width, height]),
            view: picture.create_view(&wgpu::TextureViewDescriptor::default()),
            device,
            picture,
        })
    }

    fn submit(&self, session: &Session) {
        if let Shown::Texture(volume) = session.player.feed.shown() {
            let scene = session.uniforms();
            self.renderer
                .draw(&self.device, &scene, volume, &session.ink, &self.view);
        }
    }

    fn download(&self) -> Outcome<Vec<u8>> {
        let Device { device, queue, .. } = &self.device;
        let size = self.picture.size();
        let row = 4 * size.width;
        let padded = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(padded) * u64::from(size.height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(padded),
            rows_per_image: None,
        };
        encoder.copy_texture_to_buffer(
            self.picture.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout,
            },
            size,
        );
        queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // The receiver waits for it below.
            let _ = sender.send(mapped);
        });
        device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;
        let bytes = buffer.get_mapped_range(..)?;
        let rows = bytes.chunks_exact(padded as usize);
        Ok(rows
            .flat_map(|bytes| &bytes[..row as usize])
            .copied()
            .collect())
    }
}

fn write_png(path: &Path, [width, height]: [u32; 2], pixels: &[u8]) -> Outcome {
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut image = encoder.write_header()?;
    image.write_image_data(pixels)?;
    image.finish()?;
    Ok(())
}
