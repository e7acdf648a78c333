//! A window: the session on a surface, and its events.

use std::sync::Arc;
use std::time::Instant;

use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, MouseButton, MouseScrollDelta, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::keyboard::{Key as WinitKey, NamedKey};
use winit::window::{Window, WindowId};

use crate::controls::{Button, Controls, Key};
use crate::device::{Device, Renderer};
use crate::feed::{self, Shown};
use crate::session::Session;
use crate::{Args, Outcome, volume};

pub(crate) fn run(args: &Args) -> Outcome {
    let events = EventLoop::new()
        .map_err(|error| format!("no window can be opened ({error}): try --headless --png FILE"))?;
    let mut app = App {
        args,
        live: None,
        drawn: 0,
        outcome: Ok(()),
    };
    events.run_app(&mut app)?;
    if let Some(live) = &app.live {
        live.report(app.drawn);
    }
    app.outcome
}

struct App<'a> {
    args: &'a Args,
    live: Option<Live>,
    /// Number of screen frames so far.
    drawn: u64,
    outcome: Outcome,
}

impl ApplicationHandler for App<'_> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.live.is_some() {
            return;
        }
        match Live::open(events, self.args) {
            Ok(live) => self.live = Some(live),
            Err(error) => {
                self.outcome = Err(error);
                events.exit();
            }
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(live) = &mut self.live else {
            return;
        };
        match event {
            WindowEvent::CloseRequested => events.exit(),
            // Keys that were already down when the window became active.
            WindowEvent::KeyboardInput {
                is_synthetic: true, ..
            } => {}
            WindowEvent::KeyboardInput { event, .. }
                if event.logical_key == WinitKey::Named(NamedKey::Escape) =>
            {
                events.exit();
            }
            WindowEvent::Resized(size) => live.resize(size),
            WindowEvent::RedrawRequested => {
                self.drawn += u64::from(live.draw());
                if let Err(error) = live.device.check() {
                    self.outcome = Err(error);
                    events.exit();
                }
                if self.args.frames.is_some_and(|frames| self.drawn >= frames)
                    && live.session.is_complete()
                {
                    events.exit();
                }
            }
            event => live.input(event),
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        let Some(live) = &mut self.live else {
            return;
        };
        // Nothing is redrawn unless something changes.
        if live.session.is_busy() || live.changed || self.args.frames.is_some() {
            live.window.request_redraw();
            events.set_control_flow(ControlFlow::Poll);
        } else {
            events.set_control_flow(ControlFlow::Wait);
        }
    }
}

/// A window with a session in it.
struct Live {
    window: Arc<Window>,
    surface: wgpu::Surface<'static>,
    config: wgpu::SurfaceConfiguration,
    device: Device,
    renderer: Renderer,
    session: Session,
    controls: Controls,
    /// Whether there was input since the last picture.
    changed: bool,
}

impl Live {
    fn open(events: &ActiveEventLoop, args: &Args) -> Outcome<Self> {
        let [width, height] = args.size;
        let attributes = Window::default_attributes()
            .with_title(format!("{} - voxload viewer", args.input.display()))
            .with_inner_size(PhysicalSize::new(width, height));
        let window = Arc::new(events.create_window(attributes)?);
        let display = Box::new(events.owned_display_handle());
        let instance = wgpu::InstanceDescriptor::new_with_display_handle(display);
        let instance = wgpu::Instance::new(instance);
        let surface = instance.create_surface(Arc::clone(&window))?;
        let (device, adapter) = Device::open(&instance, Some(&surface)).map_err(|error| {
            format!("no graphics adapter for a window ({error}): --headless draws without one")
        })?;
        let size = window.inner_size();
        let size = [size.width.max(1), size.height.max(1)];
        let mut config = surface
            .get_default_config(&adapter, size[0], size[1])
            .ok_or("the adapter cannot draw to this window")?;
        // Levels are written without gamma correction.
        let formats = surface.get_capabilities(&adapter).formats;
        let plain = formats.iter().find(|format| !format.is_srgb());
        config.format = plain.copied().unwrap_or(config.format);
        config.present_mode = wgpu::PresentMode::Fifo;
        surface.configure(&device.device, &config);

        let start = Instant::now();
        let max = device.gpu.limits().max_texture_dimension_3d as usize;
        let volume = volume::open(&args.input, max)?;
        let feed = feed::on_device(&volume, &device.gpu, args.backend)?;
        let session = Session::new(volume, feed, args, size, start)?;
        session.describe();
        Ok(Self {
            renderer: Renderer::new(&device, config.format, size),
            window,
            surface,
            config,
            device,
            session,
            controls: Controls::default(),
            changed: true,
        })
    }

    fn resize(&mut self, size: PhysicalSize<u32>) {
        let size = [size.width.max(1), size.height.max(1)];
        if size == [self.config.width, self.config.height] {
            return;
        }
        [self.config.width, self.config.height] = size;
        self.surface.configure(&self.device.device, &self.config);
        self.renderer.resize(&self.device, size);
        self.session.resize(size);
        self.changed = true;
    }

    /// Draws one frame. Returns whether there was a surface to draw to.
    fn draw(&mut self) -> bool {
        let start = Instant::now();
        self.changed = false;
        self.session.turn();
        let picture = match self.surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(picture)
            | wgpu::CurrentSurfaceTexture::Suboptimal(picture) => picture,
            wgpu::CurrentSurfaceTexture::Outdated | wgpu::CurrentSurfaceTexture::Lost => {
                self.surface.configure(&self.device.device, &self.config);
                self.changed = true;
                return false;
            }
            // Try again at the next frame.
            _ => return false,
        };
        let view = picture
            .texture
            .create_view(&wgpu::TextureViewDescriptor::default());
        if let Shown::Texture(volume) = self.session.player.feed.shown() {
            let scene = self.session.uniforms();
            self.renderer
                .draw(&self.device, &scene, volume, &self.session.ink, &view);
        }
        self.window.pre_present_notify();
        self.device.queue.present(picture);
        self.session.drawn(start.elapsed());
        true
    }

    fn input(&mut self, event: WindowEvent) {
        let size = self.session.ink.size;
        let Session { scene, player, .. } = &mut self.session;
        let controls = &mut self.controls;
        match event {
            WindowEvent::CursorMoved { position, .. } => {
                controls.moved([position.x as f32, position.y as f32], size, scene, player);
            }
            WindowEvent::MouseInput {
                state: ElementState::Released,
                ..
            } => controls.release(),
            WindowEvent::MouseInput {
                button: MouseButton::Left,
                ..
            } => {
                controls.press(Button::Left, size, scene, player);
            }
            WindowEvent::MouseInput {
                button: MouseButton::Right,
                ..
            } => {
                controls.press(Button::Right, size, scene, player);
            }
            WindowEvent::MouseWheel { delta, .. } => {
                let lines = match delta {
                    MouseScrollDelta::LineDelta(_, lines) => lines,
                    MouseScrollDelta::PixelDelta(pixels) => pixels.y as f32 / 40.0,
                };
                controls.wheel(lines, scene);
            }
            WindowEvent::KeyboardInput { event, .. } if event.state == ElementState::Pressed => {
                if let Some(key) = key(&event.logical_key) {
                    controls.key(key, scene, player);
                }
            }
            _ => return,
        }
        self.changed = true;
    }

    fn report(&self, drawn: u64) {
        let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        if let Some(first) = self.session.first() {
            println!("first frame {:.1} ms after load", milliseconds(first));
        }
        let (worst, shown) = (self.session.worst(), self.session.player.count());
        println!(
            "window: {drawn} frames, worst {:.1} ms, {shown} shown",
            milliseconds(worst)
        );
    }
}

fn key(key: &WinitKey) -> Option<Key> {
    match key.as_ref() {
        WinitKey::Named(NamedKey::Space) => Some(Key::Space),
        WinitKey::Named(NamedKey::ArrowLeft) => Some(Key::Previous),
        WinitKey::Named(NamedKey::ArrowRight) => Some(Key::Next),
        WinitKey::Character("m" | "M") => Some(Key::Mode),
        WinitKey::Character("r" | "R") => Some(Key::Reset),
        _ => None,
    }
}
