package Test::IM::Cluster;

# A Redis Cluster of processes on this machine, which belong to a Test::IM.
#
#     my $c = Test::IM::Cluster->new($t, masters => 3, replicas => 3)->start;
#     $c->redis('GET', 'im:{c:x}:h');         # of whichever node has the key
#     $c->node(0)->cmd('CLUSTER', 'INFO');
#     $c->migrate($slot, 1);                  # to another node, key by key
#
# new() takes: masters, replicas (1 of master 0, 1, ...), timeout (ms, of
# cluster-node-timeout), args (more arguments of each redis-server).

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::INET;
use Scalar::Util qw(weaken);

use Test::IM::Conn;

our $SLOTS = 16384;


sub new {
    my ($class, $site, %opt) = @_;
    my $self = bless { masters => 3, replicas => 0, timeout => 2000, args => [],
                       %opt, site => $site, owner => $$ }, $class;
    weaken($self->{site});
    return $self;
}


sub start {
    my $self = shift;
    my $site = $self->{site};
    my ($n, $all) = ($self->{masters}, $self->{masters} + $self->{replicas});
    my $per = int($SLOTS / $n);

    $self->{nodes} = [ map {
        Test::IM::Cluster::Node->start($self, $_)
    } 0 .. $all - 1 ];

    for my $node ($self->nodes) {
        $site->poll(10, sub { $node->connect }) or croak 'redis-server did '
            . "not start: " . Test::IM::slurp("$node->{dir}/redis.out");
        $node->{id} = $node->cmd('CLUSTER', 'MYID');
        $node->cmd('CLUSTER', 'SET-CONFIG-EPOCH', $node->{number} + 1);
    }

    for my $i (0 .. $n - 1) {
        my @range = ($i * $per, $i == $n - 1 ? $SLOTS - 1 : ($i + 1) * $per - 1);
        my $node = $self->node($i);

        # ADDSLOTSRANGE is of Redis 7.0
        eval { $node->cmd('CLUSTER', 'ADDSLOTSRANGE', @range); 1 }
            or $node->cmd('CLUSTER', 'ADDSLOTS', $range[0] .. $range[1]);
    }

    for my $node ($self->nodes) {
        next if $node->{number} == 0;
        $self->node(0)->cmd('CLUSTER', 'MEET', '127.0.0.1', $node->{port},
                            $node->{bus});
    }

    $self->all(sub { $_[0]->info('cluster_state') eq 'ok'
                     && $_[0]->info('cluster_known_nodes') == $all })
        or croak 'the cluster does not form: '
            . $self->node(0)->cmd('CLUSTER', 'NODES');

    for my $i (0 .. $self->{replicas} - 1) {
        $self->node($n + $i)->cmd('CLUSTER', 'REPLICATE', $self->node($i)->{id});
    }

    for my $i (0 .. $self->{replicas} - 1) {
        my $node = $self->node($n + $i);
        $site->poll(20, sub {
            $node->cmd('INFO', 'replication') =~ /master_link_status:up/
        }) or croak "node $i has no replica";
    }

    $self->all(sub {
        my @primary = grep { @$_ - 3 >= ($self->{replicas} ? 1 : 0) }
                      @{ $_[0]->cmd('CLUSTER', 'SLOTS') };
        return @primary >= $n || $self->{replicas} < $n;
    }) or croak 'replicas are not known';

    return $self;
}


# true once $cb is for every node

sub all {
    my ($self, $cb) = @_;
    return $self->{site}->poll(30, sub {
        for my $node (grep { $_->{pid} } $self->nodes) {
            return if !$cb->($node);
        }
        return 1;
    });
}


sub nodes   { @{ $_[0]{nodes} || [] } }
sub node    { $_[0]{nodes}[$_[1]] }
sub servers { join ' ', map { "server 127.0.0.1:$_->{port};" } $_[0]->nodes }
sub pids    { grep { $_ } map { $_->{pid} } $_[0]->nodes }


# the body of an im_redis block

sub store { $_[0]->servers . ' cluster on;' }


# reply of one command, of the node that has its key; dies on an error

sub redis {
    my ($self, @cmd) = @_;
    my $name = uc $cmd[0];

    if ($name =~ /^(?:FLUSHALL|FLUSHDB|SCRIPT|CONFIG|ACL|CLIENT|KEYS|DBSIZE)$/) {
        my @all = map { $_->cmd(@cmd) } $self->primaries;
        return $name eq 'KEYS'   ? [ map { @$_ } @all ]
             : $name eq 'DBSIZE' ? eval { my $n = 0; $n += $_ for @all; $n }
             :                     $all[0];
    }

    return $self->node(0)->cmd(@cmd)
        if @cmd == 1 || $name =~ /^(?:INFO|PING|ECHO|DEBUG|CLUSTER)$/;

    my $key = $name =~ /^EVAL/ ? $cmd[3] : $cmd[1];
    my $node = $self->owner(slot($key)) || ($self->primaries)[0];
    my $asking;

    for (1 .. 50) {
        $node->cmd('ASKING') if $asking;
        my $reply = eval { [ $node->cmd(@cmd) ] };
        return $reply->[0] if $reply;
        my $error = $@;

        if ($error =~ /\b(MOVED|ASK) \d+ \S*:(\d+)/) {
            $asking = $1 eq 'ASK';
            my $port = $2;
            $self->{owners} = undef;
            ($node) = grep { $_->{port} == $port } $self->nodes;
            next;
        }
        die $error if $error !~ /TRYAGAIN|CLUSTERDOWN|LOADING/;
        Time::HiRes::sleep(0.05);
        ($asking, $node) = (0, $self->owner(slot($key)));
    }

    croak "no node executes @cmd";
}


# nodes that have slots

sub primaries {
    my $self = shift;
    my %port = map { $_->[2][1] => 1 } @{ $self->slots };
    return grep { $port{ $_->{port} } } $self->nodes;
}


sub slots {
    my $self = shift;
    for my $node (grep { $_->{pid} } $self->nodes) {
        my $slots = eval { $node->cmd('CLUSTER', 'SLOTS') };
        return $slots if $slots && @$slots;
    }
    croak 'no node tells its slots';
}


sub owner {
    my ($self, $slot) = @_;
    $self->{owners} ||= $self->slots;
    for my $range (@{ $self->{owners} }) {
        next if $slot < $range->[0] || $slot > $range->[1];
        my ($node) = grep { $_->{port} == $range->[2][1] } $self->nodes;
        return $node;
    }
    return;
}


# moves a slot to another node as redis-cli does

sub migrate {
    my ($self, $slot, $to, %opt) = @_;
    my $from = $self->owner($slot);
    my $target = ref $to ? $to : $self->node($to);
    return if $from == $target;

    $target->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
    $from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $target->{id});

    while (1) {
        my $keys = $from->cmd('CLUSTER', 'GETKEYSINSLOT', $slot,
                              $opt{keys} || 10);
        last if !@$keys;
        $from->cmd('MIGRATE', '127.0.0.1', $target->{port}, '', 0, 5000, 'KEYS',
                   @$keys);
        $opt{between}->() if $opt{between};
    }

    $self->finish($slot, $target);
}


sub finish {
    my ($self, $slot, $target) = @_;
    my @primaries = $self->primaries;
    $_->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', $target->{id})
        for $target, grep { $_ != $target } @primaries;
    $self->{owners} = undef;

    # What a node said before may still be under way, with an epoch as high as
    # the target's, and takes the slot back: then each of two nodes names the
    # other for ever.

    my $agreed = $self->{site}->poll(20, sub {
        my %epoch = map { $_->info('cluster_current_epoch') => 1 } @primaries;
        my @other = grep { !$_->names($slot, $target) } $target, @primaries;
        eval { $_->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', $target->{id}) }
            for @other;
        return !@other && keys %epoch == 1;
    });
    croak "the nodes do not agree on slot $slot" if !$agreed;
}


# CRC-16/XMODEM of the hash tag

sub slot {
    my ($key) = @_;
    my $tag = $key =~ /\{([^}]+)\}/ ? $1 : $key;
    my $crc = 0;
    for my $c (unpack 'C*', $tag) {
        $crc ^= $c << 8;
        $crc = $crc & 0x8000 ? ($crc << 1 ^ 0x1021) & 0xffff : $crc << 1
            for 1 .. 8;
    }
    return $crc % $SLOTS;
}


# all nodes, with the data in their memory

sub stop {
    my ($self, $signal) = @_;
    return if $self->{owner} != $$;
    for my $node (grep { $_->{pid} } $self->nodes) {
        kill CONT => $node->{pid} if !$signal;
        $node->kill($signal);
    }
}


sub restart {
    my $self = shift;
    $_->run for grep { !$_->{pid} } $self->nodes;
    $self->all(sub { $_[0]->connect && $_[0]->info('cluster_state') eq 'ok' })
        or croak 'the cluster does not form again';
}


package Test::IM::Cluster::Node;

use strict;
use warnings;

use Carp qw(croak);


sub start {
    my ($class, $cluster, $number) = @_;
    my $site = $cluster->{site};
    my $self = bless { number => $number, site => $site, owner => $$,
                       dir => "$site->{dir}/node$number" }, $class;
    Scalar::Util::weaken($self->{site});

    mkdir $self->{dir};
    $self->{$_} = Test::IM::free_port() for qw(port bus);
    $self->{args} = [ '--port', $self->{port}, '--bind', '127.0.0.1',
        '--cluster-enabled', 'yes', '--cluster-port', $self->{bus},
        '--cluster-node-timeout', $cluster->{timeout} * $Test::IM::SCALE,
        '--cluster-config-file', 'nodes.conf', '--dir', $self->{dir},
        '--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', 0,
        '--cluster-allow-replica-migration', 'no',
        '--cluster-require-full-coverage', 'no',
        @{ $cluster->{args} } ];
    $self->run;
    return $self;
}


sub run {
    my $self = shift;
    $self->{pid} = $self->{site}->spawn("node$self->{number}/redis.out",
                                        $Test::IM::REDIS, @{ $self->{args} });
}


sub kill {
    my ($self, $signal) = @_;
    kill $signal || 'KILL', $self->{pid};
    return if $signal && $signal =~ /^(?:STOP|CONT)$/;
    waitpid delete $self->{pid}, 0;
    delete $self->{conn};
}


sub connect {
    my $self = shift;
    delete $self->{conn} if $self->{conn} && $self->{conn_pid} != $$;
    return $self->{conn} if $self->{conn};
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $self->{port}) or return;
    $self->{conn_pid} = $$;
    return $self->{conn} = Test::IM::Conn->new($s, 10 * $Test::IM::SCALE);
}


sub cmd {
    my ($self, @cmd) = @_;
    my $c = $self->connect or croak "node $self->{number} cannot be reached";
    $c->send(join '', '*' . @cmd . "\r\n",
             map { '$' . length($_) . "\r\n$_\r\n" } @cmd);
    return $c->read_reply;
}


# does this node name that one for a slot?

sub names {
    my ($self, $slot, $owner) = @_;
    return grep { $slot >= $_->[0] && $slot <= $_->[1]
                  && $_->[2][1] == $owner->{port} }
           @{ $self->cmd('CLUSTER', 'SLOTS') };
}


sub info {
    my ($self, $name) = @_;
    return $self->cmd('CLUSTER', 'INFO') =~ /^$name:(\S+)/m ? $1 : '';
}


1;
