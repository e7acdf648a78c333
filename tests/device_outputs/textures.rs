//! Textures: read back, they hold what plain arithmetic says, byte for byte what the CPU makes.

use half::f16;
use voxload::{
    ArrayProxy, ByteOrder, DType, DataobjImage, ErrorKind, Fidelity, HostArray, Index, ProxySpec,
    Scaling, Texels, TextureOptions, Window,
};

use super::devices::{Device, devices, download_texture};
use super::images::{Random, image_of};
use crate::support::{environment, ways};

/// The texels as the documentation defines them, one voxel at a time, and whether all give back their values.
fn naive(image: &DataobjImage, texels: Texels, index: &Index) -> (Vec<u8>, bool) {
    let dataobj = image.dataobj();
    let unorm = |window: Window, largest: f64, push: &dyn Fn(&mut Vec<u8>, f64)| {
        let values: HostArray<f64> = dataobj.slice(index).expect("a slice");
        let (lo, hi) = (window.lo(), window.hi());
        let (mut bytes, mut exact) = (Vec::new(), true);
        for &value in values.as_slice() {
            let share = (value - lo) / (hi - lo);
            let clamped = if share > 1.0 {
                1.0
            } else if share > 0.0 {
                share
            } else {
                0.0
            };
            let texel = (clamped * largest + 0.5).floor();
            push(&mut bytes, texel);
            exact &= texel * (hi - lo) / largest + lo == value;
        }
        (bytes, exact)
    };
    match texels {
        Texels::R16Float => {
            let values: HostArray<f16> = dataobj.slice(index).expect("a slice");
            let bytes = bytemuck::cast_slice(values.as_slice()).to_vec();
            (
                bytes,
                values_kept(image, index, |i| values.as_slice()[i].to_f64()),
            )
        }
        Texels::R32Float => {
            let values: HostArray<f32> = dataobj.slice(index).expect("a slice");
            let bytes = bytemuck::cast_slice(values.as_slice()).to_vec();
            (
                bytes,
                values_kept(image, index, |i| values.as_slice()[i].into()),
            )
        }
        Texels::R8Unorm(window) => unorm(window, 255.0, &|bytes, texel| bytes.push(texel as u8)),
        Texels::R16Unorm(window) => unorm(window, 65535.0, &|bytes, texel| {
            bytes.extend((texel as u16).to_ne_bytes());
        }),
        _ => panic!("a format without a model"),
    }
}

/// Whether floats are the f64 values themselves.
fn values_kept(image: &DataobjImage, index: &Index, narrow: impl Fn(usize) -> f64) -> bool {
    let wide: HostArray<f64> = image.dataobj().slice(index).expect("a slice");
    let mut voxels = wide.as_slice().iter().enumerate();
    voxels.all(|(i, &value)| narrow(i) == value || (narrow(i).is_nan() && value.is_nan()))
}

/// Any NaN equals any NaN.
fn unify_nans(texels: Texels, bytes: &mut [u8]) {
    let nan = |texel: &[u8]| match *texel {
        [a, b] => f16::from_ne_bytes([a, b]).is_nan(),
        [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]).is_nan(),
        _ => false,
    };
    if matches!(texels, Texels::R16Float | Texels::R32Float) {
        bytes
            .chunks_mut(texels.size_bytes())
            .filter(|texel| nan(texel))
            .for_each(|texel| texel.fill(0xff));
    }
}

fn random_texels(random: &mut Random, device: &Device) -> Texels {
    let lo = (random.below(4000) as f64 - 2000.0) / 7.0;
    let window = Window::new(lo, lo + 1.0 + random.below(3000) as f64 / 3.0).expect("it rises");
    let norm16 = wgpu::Features::TEXTURE_FORMAT_16BIT_NORM;
    match random.below(4) {
        0 => Texels::R16Float,
        1 => Texels::R32Float,
        2 if device.gpu.device().features().contains(norm16) => Texels::R16Unorm(window),
        _ => Texels::R8Unorm(window),
    }
}

/// An index that leaves at most three axes, and something of each.
fn frame_of(random: &mut Random, image: &DataobjImage, most: u32) -> Index {
    loop {
        let index = random.index(image.shape());
        let slice = image.dataobj().slice::<f32>(&index).expect("a slice");
        let fits = slice.shape().iter().all(|&side| side <= most as usize);
        if fits && slice.ndim() <= 3 && !slice.is_empty() {
            return index;
        }
    }
}

/// The texels of what an index selects; of all of an image of three axes, without one. Whether they are exact.
pub fn check(device: &Device, image: &DataobjImage, texels: Texels, index: Option<&Index>) -> bool {
    let gpu = &device.gpu;
    let whole = Index::new();
    let (options, index) = match index {
        Some(index) => (with_index(texels, index), index),
        None => (TextureOptions::new(texels), &whole),
    };
    let made = ways::texture(image, gpu, &options)
        .unwrap_or_else(|error| panic!("{} {options:?}: {error}", device.name));
    assert_eq!(made.format, texels.format());
    let shape = image
        .dataobj()
        .slice::<f32>(index)
        .expect("a slice")
        .shape()
        .to_vec();
    assert_eq!(made.shape[..shape.len()], shape);
    let mut found = download_texture(gpu, &made.texture);
    let (mut wanted, exact) = naive(image, texels, index);
    let twin_texels = image.texels(&options).expect("texels");
    assert_eq!(twin_texels.shape, made.shape);
    let (mut twin, twin_fidelity) = (twin_texels.bytes, twin_texels.fidelity);
    for bytes in [&mut found, &mut wanted, &mut twin] {
        unify_nans(texels, bytes);
    }
    let context = || format!("{}: {options:?} of {:?}", device.name, image.header());
    let wrong = |found: &[u8]| found.iter().zip(&wanted).position(|(a, b)| a != b);
    assert_eq!(found.len(), wanted.len(), "{}", context());
    let first = |bytes: &[u8]| bytes.iter().copied().take(12).collect::<Vec<u8>>();
    assert_eq!(
        wrong(&found),
        None,
        "{:?} {:?} {}",
        first(&found),
        first(&wanted),
        context()
    );
    assert_eq!(
        (twin.len(), wrong(&twin)),
        (wanted.len(), None),
        "{}",
        context()
    );
    // SPM99 rounds values of narrow types to f32: the f64 values are then others.
    let spm = format!("{:?}", image.header().scaling).contains("Spm99");
    assert_eq!(made.fidelity, twin_fidelity, "{}", context());
    assert!(spm || made.fidelity.is_exact() == exact, "{}", context());
    made.fidelity.is_exact()
}

/// These texels of what an index selects.
pub fn with_index(texels: Texels, index: &Index) -> TextureOptions {
    TextureOptions::new(texels)
        .index(index)
        .expect("it is one already")
}

#[test]
fn textures_hold_the_values() {
    let mut exact = [0, 0];
    let all = devices("textures_hold_the_values");
    let images = environment::volume(50, 500);
    for device in &all {
        let mut random = Random::new(31);
        for _ in 0..images {
            let image = random.image(4, 2500);
            let most = device.gpu.limits().max_texture_dimension_3d;
            let index = frame_of(&mut random, &image, most);
            let texels = random_texels(&mut random, device);
            exact[usize::from(check(device, &image, texels, Some(&index)))] += 1;
        }
    }
    assert_eq!(exact[0] + exact[1], all.len() * images);
    assert!(
        all.is_empty() || exact.iter().all(|&n| n > images / 5),
        "{exact:?}"
    );
}

fn volume(dtype: DType, shape: &[usize], scaling: Scaling, seed: u64) -> (ArrayProxy, ProxySpec) {
    let spec = ProxySpec::new(shape, dtype)
        .byte_order(ByteOrder::Big)
        .offset(352)
        .scaling(scaling);
    (Random::new(seed).proxy(&spec), spec)
}

/// Volumes that take several slabs and packets on the tiny device; canonical order is another one.
#[test]
fn textures_in_slabs() {
    for device in devices("textures_in_slabs") {
        let (proxy, spec) = volume(DType::I16, &[70, 33, 90], Scaling::linear(0.3, -7.0), 32);
        let image = image_of(proxy, spec);
        let window = Window::new(-4000.0, 5000.0).expect("it rises");
        for texels in [Texels::R16Float, Texels::R32Float, Texels::R8Unorm(window)] {
            check(&device, &image, texels, None);
            // Transposed: x of the texture is the slowest stored axis.
            let axes = [2, 0, 1].map(|axis| voxload::AxisDirection {
                axis,
                flipped: axis == 2,
            });
            let turned = image.as_reoriented(&axes).expect("an order of its axes");
            check(&device, &turned, texels, None);
        }
    }
}

#[test]
fn a_texture_is_used_again_for_the_next_frame() {
    for device in devices("a_texture_is_used_again_for_the_next_frame") {
        let gpu = &device.gpu;
        let (proxy, spec) = volume(DType::U8, &[9, 8, 7, 5], Scaling::none(), 33);
        let image = image_of(proxy, spec);
        let made = ways::texture(&image, gpu, &TextureOptions::default()).expect("it fits");
        assert!(made.fidelity.is_exact(), "bytes are f16 numbers");
        for frame in 0..5 {
            let index = Index::new().ellipsis().at(frame);
            let options = with_index(Texels::default(), &index);
            let fidelity = ways::texture_into(&image, gpu, &made.texture, &options);
            assert_eq!(fidelity.expect("it fits"), Fidelity::Exact);
            let (wanted, _) = naive(&image, Texels::default(), &index);
            assert_eq!(
                download_texture(gpu, &made.texture),
                wanted,
                "frame {frame}"
            );
        }
    }
}

/// Known texels of known values, at the edges of the window and of f64.
#[test]
fn unorm_texels_at_the_edges() {
    let inf = f64::INFINITY;
    let values = vec![
        f64::NAN,
        -inf,
        inf,
        -0.0,
        0.0,
        255.0,
        255.1,
        -0.1,
        0.5,
        0.49999999999999994,
        254.5,
        1e308,
        -1e308,
        127.0,
        5e-324,
        1.5,
    ];
    let texels = [0, 0, 255, 0, 0, 255, 255, 0, 1, 1, 255, 255, 0, 127, 0, 2];
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value: &f64| value.to_be_bytes())
        .collect();
    let image = super::images::from_bytes(DType::F64, ByteOrder::Big, &[16], bytes);
    let window = Window::new(0.0, 255.0).expect("it rises");
    let options = TextureOptions::new(Texels::R8Unorm(window));
    let twin = image.texels(&options).expect("texels");
    assert_eq!(
        (twin.bytes, twin.fidelity),
        (texels.to_vec(), Fidelity::Rounded)
    );
    for device in devices("unorm_texels_at_the_edges") {
        let made = ways::texture(&image, &device.gpu, &options).expect("it fits");
        assert_eq!(download_texture(&device.gpu, &made.texture), texels);
        assert_eq!(made.fidelity, Fidelity::Rounded);
        // Bytes seen through the window of bytes.
        let (proxy, spec) = volume(DType::U8, &[64, 4], Scaling::none(), 34);
        let made = ways::texture(&image_of(proxy, spec), &device.gpu, &options);
        assert!(made.expect("it fits").fidelity.is_exact());
    }
    for (lo, hi) in [
        (1.0, 1.0),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (0.0, inf),
        (-1e308, 1e308),
    ] {
        let refused = Window::new(lo, hi).expect_err("no window");
        assert!(matches!(refused.kind(), ErrorKind::Usage(_)), "{refused}");
    }
}

#[test]
fn textures_that_cannot_be() {
    for device in devices("textures_that_cannot_be") {
        let gpu = &device.gpu;
        let kind = |image: &DataobjImage, options: &TextureOptions| {
            let refused = ways::texture(image, gpu, options).expect_err("it cannot be");
            refused.kind().clone()
        };
        let side = gpu.limits().max_texture_dimension_3d as usize + 1;
        let (proxy, spec) = volume(DType::U8, &[2, side, 1], Scaling::none(), 35);
        let long = kind(&image_of(proxy, spec), &TextureOptions::default());
        let expected = ErrorKind::GpuLimit {
            limit: "max_texture_dimension_3d",
            needed: side as u64,
            allowed: side as u64 - 1,
        };
        assert_eq!(long, expected);

        let (proxy, spec) = volume(DType::U8, &[3, 3, 3, 3], Scaling::none(), 36);
        let image = image_of(proxy, spec);
        let four = with_index(Texels::default(), &Index::new());
        assert!(matches!(kind(&image, &four), ErrorKind::Shape { .. }));
        let none = TextureOptions::default()
            .index("[3:, ..., 0]")
            .expect("an index");
        assert!(matches!(kind(&image, &none), ErrorKind::Shape { .. }));
        let window = Window::new(0.0, 1.0).expect("it rises");
        let norm16 = TextureOptions::new(Texels::R16Unorm(window));
        if device.name != "own" {
            assert!(matches!(
                kind(&image, &norm16),
                ErrorKind::GpuUnsupported(_)
            ));
        }
        let (proxy, spec) = volume(DType::Rgb24, &[3, 3], Scaling::none(), 37);
        let colour = kind(&image_of(proxy, spec), &TextureOptions::default());
        assert!(matches!(colour, ErrorKind::DType { .. }), "{colour:?}");

        // A texture of another format or size, or that cannot be copied to.
        let made = ways::texture(&image, gpu, &TextureOptions::default()).expect("it fits");
        let wrong_format = ways::texture_into(
            &image,
            gpu,
            &made.texture,
            &TextureOptions::new(Texels::R32Float),
        );
        let kind = wrong_format.expect_err("another format").kind().clone();
        assert!(matches!(kind, ErrorKind::Usage(_)), "{kind:?}");
        let part = TextureOptions::default()
            .index("[1:, ..., 0]")
            .expect("an index");
        let wrong_size = ways::texture_into(&image, gpu, &made.texture, &part);
        let kind = wrong_size.expect_err("another size").kind().clone();
        assert!(matches!(kind, ErrorKind::Shape { .. }), "{kind:?}");
    }
}

#[test]
fn textures_of_arrays() {
    for device in devices("textures_of_arrays") {
        let values: Vec<i64> = (0..60).map(|i| (1 << 53) + i * 3 - 90).collect();
        let array = HostArray::from_vec(&[3, 4, 5], values).expect("it fits");
        let image = DataobjImage::from_array(array, None).expect("it fits");
        let window = Window::new(9e15, 9.1e15).expect("it rises");
        for texels in [Texels::R16Float, Texels::R32Float, Texels::R8Unorm(window)] {
            let index: Index = "[::-1, :, 1:4]".parse().expect("an index");
            check(&device, &image, texels, Some(&index));
        }
    }
}
