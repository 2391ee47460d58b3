//! Several machines on one: network namespaces, which a bridge connects with each other and with this
//! machine.

use std::{
    ffi::OsStr,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Output,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinSet,
};

use crate::watchdog::Watchdog;

/// Gives the bridge `$1` an address in the network `$2`, and makes one namespace for each further name.
const MAKE: &str = r#"set -e
bridge=$1 network=$2 host=1
shift 2
ip address add "$network.$host/24" dev "$bridge"
ip link set "$bridge" up
for machine; do
  host=$((host+1))
  ip netns add "$machine"
  ip link add "$machine" type veth peer name eth0 netns "$machine"
  ip link set "$machine" master "$bridge" up
  ip -n "$machine" link set lo up
  ip -n "$machine" address add "$network.$host/24" dev eth0
  ip -n "$machine" link set eth0 up
done"#;

/// Removes the bridge `$2` and its namespaces, with the processes in them.
const REMOVE: &str = r#"for machine in $(ip netns list | grep -o "^$2-[0-9]*"); do
  for process in $(ip netns pids "$machine"); do kill -KILL "$process"; done
  ip netns delete "$machine"
  ip link delete "$machine"
done
ip link delete "$2""#;

/// Machines with addresses of their own, which reach this machine over a network. Each is a network
/// namespace, so its programs share this machine's files, and have its loopback interface to themselves.
///
/// All is removed when this is dropped, and also when the process that holds it is killed: the network,
/// the machines, and the processes on them.
///
/// ```no_run
/// use servers::{Network, Postgres};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Network::with_machines(2).await?;
/// let server = Postgres::builder().listen(network.address()).start().await?;
///
/// let [one, other] = network.machines() else { unreachable!() };
/// one.command(server.program("psql")).arg(server.url()).status().await?;
/// one.cut_off().await?; // as if its cable were pulled
/// one.reconnect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Network {
    bridge: String,
    address: Ipv4Addr,
    machines: Vec<Machine>,
    forwarding: JoinSet<()>,
    watchdog: Option<Watchdog>,
}

/// One machine of a [`Network`].
#[derive(Debug)]
pub struct Machine {
    name: String,
    address: Ipv4Addr,
}

impl Network {
    /// Makes a network with so many machines, at most 253.
    ///
    /// # Errors
    /// Returns an error with the reason of the system if this process may not make network namespaces,
    /// which takes root's rights and `ip` of iproute2.
    pub async fn with_machines(count: u8) -> io::Result<Self> {
        let (bridge, [second, third]) = add_bridge()?;
        let address = |host| Ipv4Addr::new(198, second, third, host);
        let machines = (1..=count).map(|number| Machine {
            name: format!("{bridge}-{number}"),
            address: address(number + 1),
        });
        let mut network = Self {
            machines: machines.collect(),
            address: address(1),
            bridge,
            forwarding: JoinSet::new(),
            watchdog: None,
        };
        network.watchdog = Watchdog::start(REMOVE, Path::new(&network.bridge))?;
        if let Some(watchdog) = &mut network.watchdog {
            watchdog.watch(std::process::id()).await?;
        }
        // It is not broken off halfway: what it makes after this is dropped, nobody would remove.
        let mut make = std::process::Command::new("sh");
        make.args(["-c", MAKE, "sh", &network.bridge]);
        make.arg(format!("198.{second}.{third}"));
        make.args(network.machines.iter().map(|machine| &machine.name));
        done(make.output()?)?;
        Ok(network)
    }

    /// This machine's address, at which the others reach it.
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// Lets the machines reach a server that listens on this machine's loopback interface only, as the
    /// Temporal dev server must. Returns its address on the network.
    ///
    /// # Errors
    /// Returns an error if something listens on the same port of the network's address.
    pub async fn forward(&mut self, port: u16) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((self.address, port)).await?;
        self.forwarding.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok((self.address, port).into())
    }

    /// The machines, as many as were asked for.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let mut remove = std::process::Command::new("sh");
        remove.args(["-c", REMOVE, "sh", "", &self.bridge]);
        // Of a network that could not be made, a part may not be there.
        let _ = remove.output();
    }
}

impl Machine {
    /// The machine's address, at which this machine reaches it.
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// A command that runs `program` on this machine. The process that is started becomes the program,
    /// so it can be signalled as if it had been started directly.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Cuts the machine off: nothing that it sends arrives, nothing arrives there, and neither side is
    /// told.
    ///
    /// # Errors
    /// Returns an error with the reason of the system.
    pub async fn cut_off(&self) -> io::Result<()> {
        self.link("down").await
    }

    /// Connects the machine again.
    ///
    /// # Errors
    /// Returns an error with the reason of the system.
    pub async fn reconnect(&self) -> io::Result<()> {
        self.link("up").await
    }

    async fn link(&self, state: &str) -> io::Result<()> {
        let mut ip = Command::new("ip");
        done(ip.args(["link", "set", &self.name, state]).output().await?)
    }
}

/// Adds a bridge, and returns its name with the two middle numbers of its network's addresses. The name
/// holds these numbers, and the system gives a name once, so that no other network has the same addresses.
fn add_bridge() -> io::Result<(String, [u8; 2])> {
    loop {
        // The block 198.18.0.0/15 is set aside for tests of networks, so nobody else is there.
        let [second, third] = [18 + rand::random::<u8>() % 2, rand::random()];
        let bridge = format!("net{second:02x}{third:02x}");
        let mut add = std::process::Command::new("ip");
        add.args(["link", "add", &bridge, "type", "bridge"]);
        match done(add.output()?) {
            Err(error) if error.to_string().contains("File exists") => {}
            added => return added.map(|()| (bridge, [second, third])),
        }
    }
}

fn done(output: Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(reason.trim().to_owned()))
}
